"""STIR and SHAKEN: who signs that a caller is who he says, and who believes it (RFC 8224, 8225, 8226, 8588).

    signer = Signer(Path("key.pem").read_bytes(), "https://certificates.example.com/ours.pem")
    async with ua.call("sip:+12155551213@carrier.example.com", signer=signer) as call: ...

    verifier = Verifier(fetch, anchors=Path("authorities.pem").read_bytes())
    verdict = await invitation.verified(verifier)

``fetch`` is yours: nothing here opens a connection. Needs the extra ``stir``.
"""

from sipstack.stir.signing import Signer
from sipstack.stir.verdict import Verdict
from sipstack.stir.verifying import Fetch, Verifier

__all__ = ["Fetch", "Signer", "Verdict", "Verifier"]
