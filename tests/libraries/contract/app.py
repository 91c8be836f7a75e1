import sys

from componentize_py_types import Err
from wit_world import exports
from wit_world.imports import log, signing


class Run(exports.Run):
    def run(self) -> None:
        message = " ".join(sys.argv[1:]).encode()
        try:
            with signing.Signer.open("wallet") as wallet:
                print(wallet.address(), wallet.sign_message(message, None).hex())
        except Err as error:
            match error.value:
                case signing.Error_Denied(why):
                    log.write(log.Level.ERROR, why, [log.Field("signer", "wallet")])
            raise Err(None) from error
