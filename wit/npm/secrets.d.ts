declare module 'strongroom:agent/secrets@0.1.0' {
  /**
   * Why a secret can't be opened.
   */
  export type Error = ErrorUnavailable | ErrorTooManyHandles;
  /**
   * The manifest does not grant this name, or there is no such secret. The two are told apart only in the
   * operator's audit log: an agent can't enumerate what exists.
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

  export class Secret implements Disposable {
    /**
     * This type does not have a public constructor.
     */
    private constructor();
    /**
    * Opens the secret that the manifest declares as `[secrets.NAME]`. Names are case-sensitive.
    */
    static open(name: string): Secret;
    /**
    * The name it was opened by.
    */
    name(): string;
    /**
    * The string that stands for the value in a request. The same for every call within one run; it carries at least
    * 128 bits of randomness, means nothing in another run, agent or place, and stays valid across a rotation.
    */
    placeholder(): string;
    /**
    * A keyed hash of the value now in use, 8 lower-case hexadecimal digits. It changes when the value is rotated, and
    * differs between hosts. It can't be turned back into the value.
    */
    fingerprint(): string;
    /**
    * When the value in use stops working, in seconds since 1970-01-01T00:00:00Z, where the backend knows it.
    */
    expiresAt(): bigint | undefined;
    [Symbol.dispose](): void;
  }
}
