"""Contracts of other tools: read as far as they are understood, and judged on their own terms.

foreign.record         what a foreign file says, as values
foreign.tables         which key of which place says what: the dialects, as data
foreign.reading        from plain data to the record, section by section
foreign.scanning       what a table finds in one mapping
foreign.unread         what was not understood, gathered
foreign.cited_tests    what the text under `test` is
foreign.predictions    whether a prediction could be refuted by a number
foreign.pytest_nodes   whether a test that is named exists
foreign.links          names in one place that should stand in another
foreign.rules          one small generator for each finding
foreign.judging        the findings on foreign files, and their counts
foreign.migration      from the record to a native contract, and to what a person has to add
foreign.native_claim   a foreign falsifier as a native claim
foreign.native_ids     IDs of the native form
foreign.native_text    YAML as `pv migrate` writes it
"""
