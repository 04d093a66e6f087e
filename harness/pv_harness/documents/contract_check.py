"""Whether data is a valid native contract, by contract-v1.json.

Written by `python -m pv_harness.documents.schema_compiler`; change the schema instead.
"""
# ruff: noqa: C901, E501, E713, E714, FURB171, PLR0911, PLR0912, PLR0915, Q000, SIM103, SIM201
# fmt: off
# mypy: disable-error-code="unreachable,redundant-expr"

from __future__ import annotations

import re


TYPE_CHECKING = False  # typing itself costs 4 ms
if TYPE_CHECKING:
    from typing import Any

_pattern_0 = re.compile('^[a-z0-9]+([._-][a-z0-9]+)*$(?!\\n)').search
_pattern_1 = re.compile('^(0|[1-9][0-9]*)\\.(0|[1-9][0-9]*)\\.(0|[1-9][0-9]*)(-[0-9A-Za-z.-]+)?$(?!\\n)').search
_pattern_2 = re.compile('^[A-Z][A-Z0-9]*(-[A-Z0-9]+)*-[0-9]{3}$(?!\\n)').search
_pattern_3 = re.compile('^[A-Za-z_][A-Za-z0-9_]*(\\.[A-Za-z_][A-Za-z0-9_]*)*$(?!\\n)').search
_pattern_4 = re.compile('^[A-Za-z_][A-Za-z0-9_.]*$(?!\\n)').search
_pattern_5 = re.compile('^[A-Za-z_][A-Za-z0-9_]*(\\.[A-Za-z_][A-Za-z0-9_]*)*:[A-Za-z_][A-Za-z0-9_]*$(?!\\n)').search
_pattern_6 = re.compile('^[a-z0-9]+(-[a-z0-9]+)*$(?!\\n)').search


def is_surely_valid(value: Any) -> bool:
    """True for valid data, and for no other; False where that is not sure."""
    if type(value) is not dict:
        return False
    known = 5
    item = value.get('apiVersion')
    if not (item in ('pv/v1',)):
        return False
    item = value.get('id')
    if not (type(item) is str and len(item) <= 200 and _pattern_0(item)):
        return False
    item = value.get('version')
    if not (type(item) is str and len(item) <= 200 and _pattern_1(item)):
        return False
    if 'kind' in value:
        known += 1
        item = value['kind']
        if not (type(item) is str and item):
            return False
    item = value.get('metadata')
    if not (_is_surely_valid_metadata(item)):
        return False
    if 'equations' in value:
        known += 1
        item = value['equations']
        if not (_is_surely_valid_equations(item)):
            return False
    item = value.get('falsifiers')
    if not (type(item) is list and len(item) >= 1):
        return False
    for each in item:
        if not (_falsifier(each)):
            return False
    if not (known == len(value)):
        return False
    return True


def _is_surely_valid_metadata(value: Any) -> bool:
    if type(value) is not dict:
        return False
    known = 1
    item = value.get('title')
    if not (type(item) is str and item):
        return False
    if 'description' in value:
        known += 1
        item = value['description']
        if not (type(item) is str):
            return False
    if 'references' in value:
        known += 1
        item = value['references']
        if not (type(item) is list):
            return False
        for each in item:
            if not (type(each) is str and each):
                return False
    if 'depends_on' in value:
        known += 1
        item = value['depends_on']
        if not (type(item) is list):
            return False
        for each in item:
            if not (type(each) is str and each and len(each) <= 200):
                return False
        if not (len(set(item)) == len(item)):
            return False
    if 'changelog' in value:
        known += 1
        item = value['changelog']
        if not (type(item) is list):
            return False
        for each in item:
            if not (type(each) is str and each):
                return False
    if not (known == len(value)):
        return False
    return True


def _is_surely_valid_equations(value: Any) -> bool:
    if type(value) is not dict:
        return False
    for key, item in value.items():
        if not (type(key) is str):
            return False
        if not (_equation(item)):
            return False
    return True


def _equation(value: Any) -> bool:
    if type(value) is not dict:
        return False
    known = 1
    item = value.get('formula')
    if not (type(item) is str and item):
        return False
    if 'domain' in value:
        known += 1
        item = value['domain']
        if not (type(item) is str):
            return False
    if 'codomain' in value:
        known += 1
        item = value['codomain']
        if not (type(item) is str):
            return False
    if 'invariants' in value:
        known += 1
        item = value['invariants']
        if not (type(item) is list):
            return False
        for each in item:
            if not (type(each) is str and each):
                return False
    if not (known == len(value)):
        return False
    return True


def _falsifier(value: Any) -> bool:
    if type(value) is not dict:
        return False
    known = 8
    item = value.get('id')
    if not (type(item) is str and len(item) <= 200 and _pattern_2(item)):
        return False
    item = value.get('rule')
    if not (type(item) is str and item):
        return False
    item = value.get('prediction')
    if not (type(item) is str and item):
        return False
    item = value.get('if_fails')
    if not (type(item) is str and item):
        return False
    item = value.get('covers')
    if not (type(item) is list and len(item) >= 1):
        return False
    for each in item:
        if not (type(each) is str and len(each) <= 200 and _pattern_3(each)):
            return False
    if not (len(set(item)) == len(item)):
        return False
    if 'requires' in value:
        known += 1
        item = value['requires']
        if not (item in ('cuda',)):
            return False
    if 'inputs' in value:
        known += 1
        item = value['inputs']
        if not (type(item) is list and len(item) >= 1):
            return False
        for each in item:
            if not (type(each) is str and each and len(each) <= 200):
                return False
        if not (len(set(item)) == len(item)):
            return False
    if 'counted' in value:
        known += 1
        item = value['counted']
        if not (type(item) is bool):
            return False
    if 'timeout_s' in value:
        known += 1
        item = value['timeout_s']
        if not (type(item) in (int, float) and (type(item) is not float or item - item == 0.0) and item <= 604800 and item > 0):
            return False
    if 'seeds' in value:
        known += 1
        item = value['seeds']
        if not (_seeds(item)):
            return False
    item = value.get('bounds')
    if not (_bounds(item)):
        return False
    item = value.get('levels')
    if not (_falsifier_levels(item)):
        return False
    item = value.get('defects')
    if not (type(item) is list):
        return False
    for each in item:
        if not (_defect(each)):
            return False
    if 'controls' in value:
        known += 1
        item = value['controls']
        if not (type(item) is list):
            return False
        for each in item:
            if not (_control(each)):
                return False
    if not (known == len(value)):
        return False
    return True


def _seeds(value: Any) -> bool:
    if type(value) is not dict:
        return False
    known = 2
    item = value.get('values')
    if not (type(item) is list and len(item) >= 1 and len(item) <= 64):
        return False
    for each in item:
        if not (type(each) is int and each >= 0 and each <= 4294967295):
            return False
    if not (len(set(item)) == len(item)):
        return False
    item = value.get('rule')
    if not (item in ('bound', 't-test')):
        return False
    if 'confidence' in value:
        known += 1
        item = value['confidence']
        if not (type(item) in (int, float) and (type(item) is not float or item - item == 0.0) and item > 0.5 and item < 1):
            return False
    if not (known == len(value)):
        return False
    return True


def _bounds(value: Any) -> bool:
    if type(value) is not dict:
        return False
    if not (len(value) >= 1):
        return False
    for key, item in value.items():
        if not (type(key) is str and len(key) <= 200 and _pattern_4(key)):
            return False
        if not (_bound(item)):
            return False
    return True


def _bound(value: Any) -> bool:
    if type(value) is not dict:
        return False
    if not ('eq' in value or 'ne' in value or 'lt' in value or 'le' in value or 'gt' in value or 'ge' in value):
        return False
    known = 0
    if 'eq' in value:
        known += 1
        item = value['eq']
        if not (type(item) in (int, float, str, bool) and (type(item) is not float or item - item == 0.0)):
            return False
    if 'ne' in value:
        known += 1
        item = value['ne']
        if not (type(item) in (int, float, str, bool) and (type(item) is not float or item - item == 0.0)):
            return False
    if 'lt' in value:
        known += 1
        item = value['lt']
        if not (type(item) in (int, float) and (type(item) is not float or item - item == 0.0)):
            return False
    if 'le' in value:
        known += 1
        item = value['le']
        if not (type(item) in (int, float) and (type(item) is not float or item - item == 0.0)):
            return False
    if 'gt' in value:
        known += 1
        item = value['gt']
        if not (type(item) in (int, float) and (type(item) is not float or item - item == 0.0)):
            return False
    if 'ge' in value:
        known += 1
        item = value['ge']
        if not (type(item) in (int, float) and (type(item) is not float or item - item == 0.0)):
            return False
    if 'unit' in value:
        known += 1
        item = value['unit']
        if not (type(item) is str and item and len(item) <= 200):
            return False
    if 'note' in value:
        known += 1
        item = value['note']
        if not (type(item) is str):
            return False
    if not (known == len(value)):
        return False
    return True


def _falsifier_levels(value: Any) -> bool:
    if type(value) is not dict:
        return False
    known = 1
    item = value.get('PARTIAL')
    if not (_level(item)):
        return False
    if 'INTEGRATION' in value:
        known += 1
        item = value['INTEGRATION']
        if not (_level(item)):
            return False
    if 'DISCHARGED' in value:
        known += 1
        item = value['DISCHARGED']
        if not (_level(item)):
            return False
    if not (known == len(value)):
        return False
    return True


def _level(value: Any) -> bool:
    if type(value) is not dict:
        return False
    known = 0
    if 'reached' in value:
        known += 1
        item = value['reached']
        if not (type(item) is list and len(item) >= 1):
            return False
        for each in item:
            if not (type(each) is str and len(each) <= 200 and _pattern_5(each)):
                return False
        if not (len(set(item)) == len(item)):
            return False
    if 'device' in value:
        known += 1
        item = value['device']
        if not (item in ('cpu', 'cuda')):
            return False
    if 'inputs' in value:
        known += 1
        item = value['inputs']
        if not (type(item) is list and len(item) >= 1):
            return False
        for each in item:
            if not (type(each) is str and each and len(each) <= 200):
                return False
        if not (len(set(item)) == len(item)):
            return False
    if 'measurements' in value:
        known += 1
        item = value['measurements']
        if not (_bounds(item)):
            return False
    if not (known == len(value)):
        return False
    return True


def _defect(value: Any) -> bool:
    if type(value) is not dict:
        return False
    known = 5
    item = value.get('id')
    if not (type(item) is str and len(item) <= 200 and _pattern_6(item)):
        return False
    item = value.get('file')
    if not (type(item) is str and item):
        return False
    item = value.get('find')
    if not (type(item) is str and item):
        return False
    item = value.get('replace')
    if not (type(item) is str):
        return False
    item = value.get('expect')
    if not (type(item) is str and item and len(item) <= 200):
        return False
    if 'accept' in value:
        known += 1
        item = value['accept']
        if not (type(item) is list and len(item) >= 1):
            return False
        for each in item:
            if not (each in ('KILLED_BY_CRASH', 'TIMEOUT')):
                return False
        if not (len(set(item)) == len(item)):
            return False
    if 'note' in value:
        known += 1
        item = value['note']
        if not (type(item) is str):
            return False
    if not (known == len(value)):
        return False
    return True


def _control(value: Any) -> bool:
    if type(value) is not dict:
        return False
    known = 4
    item = value.get('id')
    if not (type(item) is str and len(item) <= 200 and _pattern_6(item)):
        return False
    item = value.get('file')
    if not (type(item) is str and item):
        return False
    item = value.get('find')
    if not (type(item) is str and item):
        return False
    item = value.get('replace')
    if not (type(item) is str):
        return False
    if 'note' in value:
        known += 1
        item = value['note']
        if not (type(item) is str):
            return False
    if not (known == len(value)):
        return False
    return True
