// What the server keeps, in memory. Unlike the library's own adapter it takes a code or a refresh token once, whoever comes at the same time,
// and tests can look for a token by its value.

import { errors } from 'oidc-provider';

// Why a refresh token is refused that was taken before, in the library's words.
export const REUSED = 'refresh token already used';

const kept = new Map();

export class Store {
  constructor(model) {
    this.model = model;
  }

  async upsert(id, payload) {
    kept.set(`${this.model}:${id}`, payload);
  }

  async find(id) {
    return kept.get(`${this.model}:${id}`);
  }

  async findByUid(uid) {
    return this.#where((payload) => payload.uid === uid);
  }

  async findByUserCode(userCode) {
    return this.#where((payload) => payload.userCode === userCode);
  }

  async consume(id) {
    const payload = await this.find(id);
    if (!payload || payload.consumed) {
      if (payload) await this.revokeByGrantId(payload.grantId);
      throw new errors.InvalidGrant(REUSED);
    }
    payload.consumed = Math.floor(Date.now() / 1000);
  }

  async destroy(id) {
    kept.delete(`${this.model}:${id}`);
  }

  async revokeByGrantId(grantId) {
    for (const [key, payload] of kept) {
      if (payload.grantId === grantId) kept.delete(key);
    }
  }

  #where(is) {
    for (const [key, payload] of kept) {
      if (key.startsWith(`${this.model}:`) && is(payload)) return payload;
    }
    return undefined;
  }
}

// The key and the payload of a token of whatever model. Opaque tokens are their own identifiers.
export function entry(token) {
  const models = ['AccessToken', 'ClientCredentials', 'RefreshToken', 'DeviceCode', 'AuthorizationCode'];
  const key = models.map((model) => `${model}:${token}`).find((key) => kept.has(key));
  return key && [key, kept.get(key)];
}

export function forget(key) {
  kept.delete(key);
}
