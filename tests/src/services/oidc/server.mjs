// An OAuth 2.0 and OpenID server for the tests, over TLS: `node server.mjs PORT CERTIFICATE KEY`. What is asked of it beside the standards
// is on the next port, in plain HTTP: see `control`.

import { generateKeyPairSync } from 'node:crypto';
import { readFileSync } from 'node:fs';
import http from 'node:http';
import https from 'node:https';
import { exportJWK, jwtVerify } from 'jose';
import { Provider, errors } from 'oidc-provider';
import { REUSED, Store, entry, forget } from './store.mjs';

const [port, certificate, key] = process.argv.slice(2);
const issuer = `https://127.0.0.1:${port}`;
const ACCOUNT = 'alice';

// What a test sets by `/settings`.
const settings = { access: 600, device: 600, answer: 'accept' };
// What has happened.
const counts = { token: 0, refresh: 0, reuse: 0, live: 0, dead: 0 };

const signing = {
  RS256: generateKeyPairSync('rsa', { modulusLength: 2048 }),
  ES256: generateKeyPairSync('ec', { namedCurve: 'P-256' }),
  EdDSA: generateKeyPairSync('ed25519'),
};
const jwk = async (alg) => ({ ...(await exportJWK(signing[alg].publicKey)), kid: alg, alg, use: 'sig' });

const ASSERTION = 'urn:ietf:params:oauth:grant-type:jwt-bearer';
const DEVICE = 'urn:ietf:params:oauth:grant-type:device_code';
const SECRET = 'of-the-client-and-nobody-else-0123456789abcdef';
const machine = { grant_types: ['client_credentials'], redirect_uris: [], response_types: [] };
const person = {
  application_type: 'native',
  grant_types: ['authorization_code', 'refresh_token', DEVICE],
  redirect_uris: ['http://127.0.0.1/callback'],
  response_types: ['code'],
};
const clients = [
  { client_id: 'machine-basic', client_secret: SECRET, token_endpoint_auth_method: 'client_secret_basic', ...machine },
  { client_id: 'machine-post', client_secret: SECRET, token_endpoint_auth_method: 'client_secret_post', ...machine },
  ...(await Promise.all(Object.keys(signing).map(async (alg) => ({
    client_id: `machine-${alg.toLowerCase()}`,
    token_endpoint_auth_method: 'private_key_jwt',
    token_endpoint_auth_signing_alg: alg,
    jwks: { keys: [await jwk(alg)] },
    ...machine,
  })))),
  { client_id: 'assertion', token_endpoint_auth_method: 'none', ...machine, grant_types: [ASSERTION] },
  { client_id: 'public', token_endpoint_auth_method: 'none', ...person },
  { client_id: 'basic', client_secret: SECRET, token_endpoint_auth_method: 'client_secret_basic', ...person },
  { client_id: 'post', client_secret: SECRET, token_endpoint_auth_method: 'client_secret_post', ...person },
];

const provider = new Provider(issuer, {
  adapter: Store,
  clients,
  clientAuthMethods: ['client_secret_basic', 'client_secret_post', 'private_key_jwt', 'none'],
  enabledJWA: { clientAuthSigningAlgValues: Object.keys(signing) },
  scopes: ['openid', 'offline_access', 'read', 'write'],
  features: {
    clientCredentials: { enabled: true },
    devInteractions: { enabled: false },
    deviceFlow: { enabled: true },
    revocation: { enabled: true },
  },
  findAccount: (_, id) => ({ accountId: id, claims: () => ({ sub: id }) }),
  interactions: { url: (_, interaction) => `/interaction/${interaction.uid}` },
  cookies: { keys: ['of the tests'] },
  pkce: { required: () => true },
  rotateRefreshToken: true,
  ttl: {
    AccessToken: () => settings.access,
    ClientCredentials: () => settings.access,
    DeviceCode: () => settings.device,
    AuthorizationCode: 60,
    Grant: 86_400,
    Interaction: 600,
    RefreshToken: 86_400,
    Session: 86_400,
    IdToken: 600,
  },
});

// An assertion in the place of a login (RFC 7523, 2.1), by whichever of the keys.
provider.registerGrantType(ASSERTION, async (ctx) => {
  const { assertion, scope } = ctx.oidc.params;
  const checks = { audience: [issuer, `${issuer}/token`], issuer: ctx.oidc.client.clientId, requiredClaims: ['sub', 'exp', 'jti'] };
  try {
    await jwtVerify(assertion, ({ alg }) => signing[alg].publicKey, checks);
  } catch (error) {
    throw new errors.InvalidGrant(error.message);
  }
  const token = new provider.ClientCredentials({ client: ctx.oidc.client, scope });
  ctx.body = { access_token: await token.save(), expires_in: token.expiration, token_type: 'Bearer' };
}, ['assertion', 'scope']);

provider.on('grant.error', (ctx, error) => {
  if (error.error_detail === REUSED) counts.reuse += 1;
});
provider.on('server_error', (ctx, error) => console.error(error));

provider.use(async (ctx, next) => {
  if (ctx.path === '/api/me') return resource(ctx);
  if (ctx.path.startsWith('/interaction/')) return interaction(ctx);
  if (ctx.path === '/token') counts.token += 1;
  await next();
  if (ctx.path === '/token' && ctx.oidc?.params?.grant_type === 'refresh_token') counts.refresh += 1;
  return undefined;
});

// A protected resource (RFC 6750).
function resource(ctx) {
  const token = /^Bearer ([\w~+/.-]+=*)$/i.exec(ctx.get('authorization'))?.[1];
  const [found, payload] = (token && entry(token)) || [];
  const live = payload && /^(AccessToken|ClientCredentials):/.test(found) && payload.exp > Date.now() / 1000;
  counts[live ? 'live' : 'dead'] += 1;
  if (live) {
    ctx.body = { client: payload.clientId, account: payload.accountId, scope: payload.scope };
    return;
  }
  ctx.status = 401;
  ctx.set('www-authenticate', token ? 'Bearer error="invalid_token"' : 'Bearer');
}

// What a person would be asked is answered as the test has set it.
async function interaction(ctx) {
  const { prompt, params } = await provider.interactionDetails(ctx.req, ctx.res);
  ctx.respond = false;
  if (settings.answer === 'deny') {
    await provider.interactionFinished(ctx.req, ctx.res, { error: 'access_denied' });
    return;
  }
  const result = prompt.name === 'login' ? { login: { accountId: ACCOUNT } } : { consent: { grantId: await granted(params.client_id, params.scope) } };
  await provider.interactionFinished(ctx.req, ctx.res, result);
}

async function granted(clientId, scope) {
  const grant = new provider.Grant({ accountId: ACCOUNT, clientId });
  grant.addOIDCScope(scope ?? '');
  return grant.save();
}

// What the tests ask and set.
const control = {
  settings: (asked) => Object.assign(settings, asked),
  counts: () => counts,
  keys: () => Object.fromEntries(Object.entries(signing).map(([alg, pair]) => [alg, pair.privateKey.export({ type: 'pkcs8', format: 'pem' })])),
  // A refresh token as a login would give one.
  async mint({ client, scope }) {
    const grantId = await granted(client, scope);
    const found = await provider.Client.find(client);
    const token = new provider.RefreshToken({ accountId: ACCOUNT, client: found, grantId, gty: 'authorization_code', scope, authTime: 0 });
    return { token: await token.save() };
  },
  // The end of a token's time.
  expire({ token }) {
    const [, payload] = entry(token) ?? [];
    if (payload) payload.exp = Math.floor(Date.now() / 1000) - 1;
    return { found: Boolean(payload) };
  },
  revoke({ token }) {
    const [found] = entry(token) ?? [];
    if (found) forget(found);
    return { found: Boolean(found) };
  },
  // What a person does with a code that a device shows.
  async device({ code, answer }) {
    const found = await provider.DeviceCode.findByUserCode(code.replace(/\W/g, '').toUpperCase(), { ignoreExpiration: true });
    if (!found) return { found: false };
    if (answer === 'accept') {
      found.grantId = await granted(found.clientId, found.params.scope);
      Object.assign(found, { accountId: ACCOUNT, scope: found.params.scope, authTime: Math.floor(Date.now() / 1000) });
    } else if (answer === 'deny') {
      Object.assign(found, { error: 'access_denied', errorDescription: 'refused' });
    } else {
      found.exp = Math.floor(Date.now() / 1000) - 1;
    }
    await found.save();
    return { found: true };
  },
};

const controlled = http.createServer(async (request, response) => {
  const parts = [];
  for await (const part of request) parts.push(part);
  const text = Buffer.concat(parts).toString();
  try {
    const answer = await control[request.url.slice(1)](text ? JSON.parse(text) : {});
    response.end(JSON.stringify(answer));
  } catch (error) {
    response.statusCode = 500;
    response.end(String(error.stack));
  }
});

const served = https.createServer({ cert: readFileSync(certificate), key: readFileSync(key) }, provider.callback());
served.listen(Number(port), '127.0.0.1', () => {
  controlled.listen(Number(port) + 1, '127.0.0.1', () => console.log('oidc is ready'));
});
