"""Call records: one entry a call in a chain that shows what was changed, left out or cut off.

Pure: ``record`` (one call), ``chain`` (entries and their hashes), ``checkpoint`` (signed statements),
``commitment`` (in place of numbers and names), ``sequences``, ``verifying``, ``several`` and ``merging``.
Shells: ``lines``, ``files`` and ``sqlite`` (where it is kept), ``stored`` (and looked at), ``signing``,
``writer`` (the thread), ``reading``, ``redacting``.
"""

from sipstack.records.call_records import CallRecords
from sipstack.records.record import CallRecord

__all__ = ["CallRecord", "CallRecords"]
