"""Each line is refused by the types for the reason that its comment names; one that is not is an error itself."""

from wit_world.imports import log, secrets, signing

secrets.Secret.open(1)  # type: ignore[arg-type]
secrets.Secret.open("KEY").value()  # type: ignore[attr-defined]
expires: int = secrets.Secret.open("KEY").expires_at()  # type: ignore[assignment]
log.write("info", "a message", [])  # type: ignore[arg-type]
log.write(log.Level.INFO, "a message", [log.Field("name")])  # type: ignore[call-arg]
signing.Signer.open("wallet").sign_message("text", None)  # type: ignore[arg-type]
signing.Signer.open("wallet").sign_message(b"text")  # type: ignore[call-arg]
signing.Signer.open("wallet").sign_transaction(signing.Unsigned_Payload("0x"), None)  # type: ignore[arg-type]
