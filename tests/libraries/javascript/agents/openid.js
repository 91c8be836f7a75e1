import '../rsa.js';
import * as openid from 'openid-client';

const SERVER = { issuer: 'https://auth.example', token_endpoint: 'https://auth.example/token', revocation_endpoint: 'https://auth.example/revoke' };
const ME = new URL('https://api.example/v1/me');

const configured = (env, way) => new openid.Configuration(SERVER, 'room', env.OIDC_CLIENT_SECRET, way?.(env.OIDC_CLIENT_SECRET));

async function me(config, token) {
  const answer = await openid.fetchProtectedResource(config, token, ME, 'GET');
  return [answer.status, await answer.json()];
}

export async function credentials({ env, say }) {
  const config = configured(env, openid.ClientSecretPost);
  const tokens = await openid.clientCredentialsGrant(config, { scope: 'read' });
  say('granted', [tokens.token_type, tokens.expires_in, tokens.expiresIn() > 3500, tokens.access_token.startsWith('sr_')]);
  say('me', await me(config, tokens.access_token));
}

// The code that a user's login brings, a refresh, and the end of it.
export async function code({ env, say }) {
  const config = configured(env, openid.ClientSecretPost);
  const verifier = openid.randomPKCECodeVerifier();
  const back = new URL('https://room.example/callback?code=abc&state=xyz');
  const tokens = await openid.authorizationCodeGrant(config, back, { pkceCodeVerifier: verifier, expectedState: 'xyz', idTokenExpected: true });
  say('claims', [tokens.claims().sub, tokens.claims().email]);
  const newer = await openid.refreshTokenGrant(config, tokens.refresh_token);
  say('newer', [newer.access_token !== tokens.access_token, newer.expires_in]);
  say('me', await me(config, newer.access_token));
  await openid.tokenRevocation(config, newer.refresh_token);
  say('revoked', true);
}

// With the signature of the ID token verified, by the server's keys.
async function verified({ env, say }, token_endpoint) {
  const server = { ...SERVER, token_endpoint, jwks_uri: 'https://auth.example/keys' };
  const config = new openid.Configuration(server, 'room', env.OIDC_CLIENT_SECRET, openid.ClientSecretPost(env.OIDC_CLIENT_SECRET));
  openid.enableNonRepudiationChecks(config);
  try {
    const back = new URL('https://room.example/callback?code=abc');
    const tokens = await openid.authorizationCodeGrant(config, back, { idTokenExpected: true });
    say('verified', [tokens.claims().sub, tokens.claims().email]);
  } catch (error) {
    say('error', [error.code, error.cause?.message]);
  }
}

export const replaced = (room) => verified(room, 'https://auth.example/token');
export const passed = (room) => verified(room, 'https://auth.example/whole/token');

export async function refused({ env, say }) {
  try {
    await openid.refreshTokenGrant(configured(env, openid.ClientSecretPost), 'rt-of-somebody-else');
  } catch (error) {
    say('error', [error.name, error.code]);
  }
  // The library reads an error of a clone of the response, which this engine does not have: the response itself has it.
  try {
    await openid.clientCredentialsGrant(configured(env, openid.ClientSecretPost), { scope: 'all' });
  } catch (error) {
    say('error', [error.name, typeof error.cause?.clone, (await error.cause.json()).error]);
  }
}
