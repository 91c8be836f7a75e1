// Signatures of RSA with SHA-256 (RFC 8017, 8.2.2) by public keys, as WebCrypto verifies them: the engine traps where it imports a key.
const ALGORITHM = 'RSASSA-PKCS1-v1_5';
const DIGEST_INFO = '3031300d060960864801650304020105000420';

const hex = (bytes) => Array.from(bytes, (byte) => byte.toString(16).padStart(2, '0')).join('');
const number = (bytes) => BigInt(`0x${hex(bytes)}`);
const decoded = (text) => Uint8Array.from(atob(text.replaceAll('-', '+').replaceAll('_', '/')), (letter) => letter.charCodeAt(0));

function power(base, exponent, modulus) {
  let result = 1n;
  for (let rest = exponent, square = base % modulus; rest > 0n; rest >>= 1n, square = (square * square) % modulus) {
    if (rest & 1n) result = (result * square) % modulus;
  }
  return result;
}

const { subtle } = crypto;
const { importKey, verify } = subtle;

subtle.importKey = async (format, jwk, algorithm, extractable, usages) => {
  if (format !== 'jwk' || algorithm.name !== ALGORITHM) return importKey.call(subtle, format, jwk, algorithm, extractable, usages);
  const modulus = decoded(jwk.n);
  const of = { name: ALGORITHM, hash: { name: 'SHA-256' }, modulusLength: modulus.length * 8 };
  return { type: 'public', algorithm: of, extractable, usages, modulus, exponent: decoded(jwk.e) };
};

subtle.verify = async (algorithm, key, signature, data) => {
  if (!key.modulus) return verify.call(subtle, algorithm, key, signature, data);
  const digest = hex(new Uint8Array(await subtle.digest('SHA-256', data)));
  const end = `00${DIGEST_INFO}${digest}`;
  const expected = `01${end.padStart(key.modulus.length * 2 - 4, 'f')}`;
  return power(number(new Uint8Array(signature)), number(key.exponent), number(key.modulus)) === BigInt(`0x${expected}`);
};
