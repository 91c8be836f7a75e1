declare module 'strongroom:agent/signing@0.1.0' {
  /**
   * Why there is no signature.
   */
  export type Error = ErrorUnavailable | ErrorTooManyHandles | ErrorMalformed | ErrorDenied | ErrorUnreachable | ErrorUnknown;
  /**
   * The manifest does not grant this name, or there is no such signer. The two are told apart only in the audit log.
   */
  export interface ErrorUnavailable {
    tag: 'unavailable',
  }
  /**
   * The agent holds as many open handles as the host allows (1,024). Drop some first.
   */
  export interface ErrorTooManyHandles {
    tag: 'too-many-handles',
  }
  /**
   * What is to be signed can't be decoded, or the key is of another kind: what is wrong.
   */
  export interface ErrorMalformed {
    tag: 'malformed',
    val: string,
  }
  /**
   * The policy denies it: the rule, and what was found in the request.
   */
  export interface ErrorDenied {
    tag: 'denied',
    val: string,
  }
  /**
   * The signer can't be reached. Nothing was signed, and nothing is charged; trying again may help.
   */
  export interface ErrorUnreachable {
    tag: 'unreachable',
  }
  /**
   * Whether there is a signature is not known. What it would have spent counts as spent.
   */
  export interface ErrorUnknown {
    tag: 'unknown',
  }
  /**
   * An entry of an access list (EIP-2930).
   */
  export interface Access {
    /**
     * The account.
     */
    address: string,
    /**
     * Its storage slots, 32 bytes each.
     */
    slots: Array<Uint8Array>,
  }
  /**
   * Gas at one price (legacy, EIP-2930), or at a market's (EIP-1559).
   */
  export type GasFee = GasFeePrice | GasFeeMarket;
  /**
   * For each unit of gas.
   */
  export interface GasFeePrice {
    tag: 'price',
    val: string,
  }
  /**
   * At most in all, and of that at most for the block's proposer.
   */
  export interface GasFeeMarket {
    tag: 'market',
    val: [string, string],
  }
  /**
   * A signed authorization to run code (EIP-7702), as `sign-authorization` gives it.
   */
  export interface Authorization {
    /**
     * The chain.
     */
    chainId: string,
    /**
     * The code's address.
     */
    address: string,
    /**
     * The account's nonce.
     */
    nonce: string,
    /**
     * 0 or 1.
     */
    yParity: number,
    /**
     * 32 bytes.
     */
    r: Uint8Array,
    /**
     * 32 bytes.
     */
    s: Uint8Array,
  }
  /**
   * A transaction as typed fields. Its kind follows from them: blobs make it EIP-4844, authorizations EIP-7702, a market EIP-1559, a price
   * with an access list EIP-2930, and a price alone legacy (with EIP-155's protection).
   */
  export interface Transaction {
    /**
     * The chain, never 0.
     */
    chainId: string,
    /**
     * The account's nonce.
     */
    nonce: string,
    /**
     * Most units of gas.
     */
    gas: string,
    /**
     * What is paid for them.
     */
    fee: GasFee,
    /**
     * The recipient or contract.
     */
    to: string,
    /**
     * In the smallest unit of the chain's own asset.
     */
    value: string,
    /**
     * The call data.
     */
    input: Uint8Array,
    /**
     * None for a kind that has none, or an empty one.
     */
    accessList?: Array<Access>,
    /**
     * The most for each unit of blob gas, and the versioned hashes of 32 bytes (EIP-4844). The sidecar is the caller's to attach.
     */
    blobs?: [string, Array<Uint8Array>],
    /**
     * EIP-7702's.
     */
    authorizations: Array<Authorization>,
  }
  /**
   * What is to be signed: typed fields, or the unsigned payload of EIP-2718 (for legacy transactions EIP-155's list of nine).
   */
  export type Unsigned = UnsignedFields | UnsignedPayload;
  /**
   * Typed fields.
   */
  export interface UnsignedFields {
    tag: 'fields',
    val: Transaction,
  }
  /**
   * The bytes whose hash is signed.
   */
  export interface UnsignedPayload {
    tag: 'payload',
    val: Uint8Array,
  }
  /**
   * A signed transaction.
   */
  export interface Signed {
    /**
     * What a node takes.
     */
    raw: Uint8Array,
    /**
     * Its hash, 32 bytes.
     */
    hash: Uint8Array,
  }

  export class Signer implements Disposable {
    /**
     * This type does not have a public constructor.
     */
    private constructor();
    /**
    * Opens the signer that the manifest declares as `[signers.NAME]`.
    */
    static open(name: string): Signer;
    /**
    * The account's address with its checksum (EIP-55); of an ed25519 key its public half in base58. Empty for a key that has none.
    */
    address(): string;
    /**
    * The key's public half: SEC 1 uncompressed, 65 bytes; of an ed25519 key 32 bytes. Empty for a key that has none.
    */
    publicKey(): Uint8Array;
    /**
    * Signs a transaction.
    */
    signTransaction(transaction: Unsigned, idempotencyKey: string | undefined): Signed;
    /**
    * Signs a message for people: by EIP-191 (65 bytes: r, s, v), or as an off-chain message of Solana (64 bytes).
    */
    signMessage(message: Uint8Array, idempotencyKey: string | undefined): Uint8Array;
    /**
    * Signs typed data (EIP-712), the JSON of `eth_signTypedData_v4`: 65 bytes, r, s, v.
    */
    signTypedData(document: string, idempotencyKey: string | undefined): Uint8Array;
    /**
    * Signs an authorization to run code (EIP-7702).
    */
    signAuthorization(chainId: string, address: string, nonce: string, idempotencyKey: string | undefined): Authorization;
    /**
    * Signs 32 bytes as they are: 65 bytes, r, s, v. Only where the operator grants it in the host configuration.
    */
    signDigest(digest: Uint8Array): Uint8Array;
    /**
    * HMAC-SHA-256 of an input that the manifest's template matches: 32 bytes.
    */
    hmac(input: Uint8Array): Uint8Array;
    /**
    * A JSON Web Token in compact form. `claims` is a JSON object of what the manifest lets the agent add; the rest is the manifest's
    * and the host's.
    */
    signJwt(claims: string): string;
    [Symbol.dispose](): void;
  }
}
