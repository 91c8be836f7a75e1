// Each line is refused by the types for the reason that it has above it; one that is not is an error itself.
import { write } from 'strongroom:agent/log@0.1.0';
import { Secret } from 'strongroom:agent/secrets@0.1.0';
import { Signer, type Transaction } from 'strongroom:agent/signing@0.1.0';

// @ts-expect-error a handle is opened, and not made
new Secret('KEY');
// @ts-expect-error a name is text
Secret.open(1);
// @ts-expect-error a handle never yields the value
Secret.open('KEY').value();
// @ts-expect-error seconds are a `bigint`, where they are known
const expires: number = Secret.open('KEY').expiresAt();
// @ts-expect-error there is no such level
write('fatal', 'a message', []);
// @ts-expect-error a field has a value
write('info', 'a message', [{ key: 'name' }]);
// @ts-expect-error a message is bytes
Signer.open('wallet').signMessage('text', undefined);
// @ts-expect-error numbers of a transaction are text
const chain: Transaction['chainId'] = 1;
// @ts-expect-error fields are told from a payload by a tag
Signer.open('wallet').signTransaction({ payload: new Uint8Array() }, undefined);
