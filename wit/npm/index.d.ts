// What an agent imports from its host, each module under the name that its component has for it.
/// <reference path="./environment.d.ts" />
/// <reference path="./log.d.ts" />
/// <reference path="./secrets.d.ts" />
/// <reference path="./signing.d.ts" />

/**
 * What a call throws when the host refuses it: `payload` is the `Error` of its interface, as in `Thrown<signing.Error>`. componentize-js
 * does not derive it from JavaScript's own `Error`.
 */
export interface Thrown<E> {
  readonly payload: E;
  toString(): string;
}
