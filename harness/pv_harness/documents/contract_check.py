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

_ABSENT = object()
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
    item = value.get('kind', _ABSENT)
    if item is not _ABSENT:
        known += 1
        if not (type(item) is str and item):
            return False
    item = value.get('metadata')
    if not (_is_surely_valid_metadata(item)):
        return False
    item = value.get('equations', _ABSENT)
    if item is not _ABSENT:
        known += 1
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
    item = value.get('description', _ABSENT)
    if item is not _ABSENT:
        known += 1
        if not (type(item) is str):
            return False
    item = value.get('references', _ABSENT)
    if item is not _ABSENT:
        known += 1
        if not (type(item) is list):
            return False
        for each in item:
            if not (type(each) is str and each):
                return False
    item = value.get('depends_on', _ABSENT)
    if item is not _ABSENT:
        known += 1
        if not (type(item) is list):
            return False
        for each in item:
            if not (type(each) is str and each and len(each) <= 200):
                return False
        if not (len(set(item)) == len(item)):
            return False
    item = value.get('changelog', _ABSENT)
    if item is not _ABSENT:
        known += 1
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
    item = value.get('domain', _ABSENT)
    if item is not _ABSENT:
        known += 1
        if not (type(item) is str):
            return False
    item = value.get('codomain', _ABSENT)
    if item is not _ABSENT:
        known += 1
        if not (type(item) is str):
            return False
    item = value.get('invariants', _ABSENT)
    if item is not _ABSENT:
        known += 1
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
    item = value.get('requires', _ABSENT)
    if item is not _ABSENT:
        known += 1
        if not (item in ('cuda',)):
            return False
    item = value.get('inputs', _ABSENT)
    if item is not _ABSENT:
        known += 1
        if not (type(item) is list and len(item) >= 1):
            return False
        for each in item:
            if not (type(each) is str and each and len(each) <= 200):
                return False
        if not (len(set(item)) == len(item)):
            return False
    item = value.get('counted', _ABSENT)
    if item is not _ABSENT:
        known += 1
        if not (type(item) is bool):
            return False
    item = value.get('timeout_s', _ABSENT)
    if item is not _ABSENT:
        known += 1
        if not (type(item) in (int, float) and (type(item) is not float or item - item == 0.0) and item <= 604800 and item > 0):
            return False
    item = value.get('seeds', _ABSENT)
    if item is not _ABSENT:
        known += 1
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
    item = value.get('controls', _ABSENT)
    if item is not _ABSENT:
        known += 1
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
    item = value.get('confidence', _ABSENT)
    if item is not _ABSENT:
        known += 1
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
    item = value.get('eq', _ABSENT)
    if item is not _ABSENT:
        known += 1
        if not (type(item) in (int, float, str, bool) and (type(item) is not float or item - item == 0.0)):
            return False
    item = value.get('ne', _ABSENT)
    if item is not _ABSENT:
        known += 1
        if not (type(item) in (int, float, str, bool) and (type(item) is not float or item - item == 0.0)):
            return False
    item = value.get('lt', _ABSENT)
    if item is not _ABSENT:
        known += 1
        if not (type(item) in (int, float) and (type(item) is not float or item - item == 0.0)):
            return False
    item = value.get('le', _ABSENT)
    if item is not _ABSENT:
        known += 1
        if not (type(item) in (int, float) and (type(item) is not float or item - item == 0.0)):
            return False
    item = value.get('gt', _ABSENT)
    if item is not _ABSENT:
        known += 1
        if not (type(item) in (int, float) and (type(item) is not float or item - item == 0.0)):
            return False
    item = value.get('ge', _ABSENT)
    if item is not _ABSENT:
        known += 1
        if not (type(item) in (int, float) and (type(item) is not float or item - item == 0.0)):
            return False
    item = value.get('unit', _ABSENT)
    if item is not _ABSENT:
        known += 1
        if not (type(item) is str and item and len(item) <= 200):
            return False
    item = value.get('note', _ABSENT)
    if item is not _ABSENT:
        known += 1
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
    item = value.get('INTEGRATION', _ABSENT)
    if item is not _ABSENT:
        known += 1
        if not (_level(item)):
            return False
    item = value.get('DISCHARGED', _ABSENT)
    if item is not _ABSENT:
        known += 1
        if not (_level(item)):
            return False
    if not (known == len(value)):
        return False
    return True


def _level(value: Any) -> bool:
    if type(value) is not dict:
        return False
    known = 0
    item = value.get('reached', _ABSENT)
    if item is not _ABSENT:
        known += 1
        if not (type(item) is list and len(item) >= 1):
            return False
        for each in item:
            if not (type(each) is str and len(each) <= 200 and _pattern_5(each)):
                return False
        if not (len(set(item)) == len(item)):
            return False
    item = value.get('device', _ABSENT)
    if item is not _ABSENT:
        known += 1
        if not (item in ('cpu', 'cuda')):
            return False
    item = value.get('inputs', _ABSENT)
    if item is not _ABSENT:
        known += 1
        if not (type(item) is list and len(item) >= 1):
            return False
        for each in item:
            if not (type(each) is str and each and len(each) <= 200):
                return False
        if not (len(set(item)) == len(item)):
            return False
    item = value.get('measurements', _ABSENT)
    if item is not _ABSENT:
        known += 1
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
    item = value.get('accept', _ABSENT)
    if item is not _ABSENT:
        known += 1
        if not (type(item) is list and len(item) >= 1):
            return False
        for each in item:
            if not (each in ('KILLED_BY_CRASH', 'TIMEOUT')):
                return False
        if not (len(set(item)) == len(item)):
            return False
    item = value.get('note', _ABSENT)
    if item is not _ABSENT:
        known += 1
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
    item = value.get('note', _ABSENT)
    if item is not _ABSENT:
        known += 1
        if not (type(item) is str):
            return False
    if not (known == len(value)):
        return False
    return True
