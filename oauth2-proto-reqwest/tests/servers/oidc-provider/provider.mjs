// oidc-provider on a free loopback port, with the clients that the tests ask for.
//
// The first line of standard input is the settings as JSON. The origin is printed once it listens.
// It ends when standard input does, and so with the test, however that ends.
import { once } from 'node:events';
import http from 'node:http';
import https from 'node:https';
import readline from 'node:readline';
import { Provider, errors } from 'oidc-provider';

const CODE = 'authorization_code';
const DEVICE = 'urn:ietf:params:oauth:grant-type:device_code';

const input = readline.createInterface({ input: process.stdin });
input.once('close', () => process.exit());
const [line] = await once(input, 'line');
const settings = JSON.parse(line);

// The issuer has to be known before there is a provider, and the port before there is an issuer.
const server = http.createServer();
server.listen(0, '127.0.0.1');
await once(server, 'listening');
const origin = `http://127.0.0.1:${server.address().port}`;
// The same endpoints, where clients show a certificate.
const mutual = https.createServer({ ...settings.tls, requestCert: true, rejectUnauthorized: false });
mutual.listen(0, '127.0.0.1');
await once(mutual, 'listening');

const grants = {
  [CODE]: { grant_types: [CODE, 'refresh_token'], response_types: ['code'] },
  [DEVICE]: { grant_types: [DEVICE, 'refresh_token'], response_types: [] },
  client_credentials: { grant_types: ['client_credentials'], response_types: [] },
  implicit: { grant_types: ['implicit'], response_types: ['id_token token'] },
  hybrid: { grant_types: [CODE, 'implicit', 'refresh_token'], response_types: ['code id_token'] },
};

const clients = settings.clients.map(({ id, secret, authentication, grant, jwks }) => ({
  client_id: id,
  ...(secret && { client_secret: secret }),
  ...(jwks && { jwks }),
  ...(authentication === 'tls_client_auth' && {
    tls_client_auth_san_dns: settings.certified_client,
  }),
  token_endpoint_auth_method: authentication,
  // The redirect URIs are on this machine and without TLS: those of a native app.
  application_type: 'native',
  redirect_uris: grants[grant].response_types.length ? settings.redirect_uris : [],
  authorization_details_types: ['payment'],
  ...grants[grant],
}));

const provider = new Provider(origin, {
  clients,
  scopes: ['openid', 'offline_access', 'read', 'write'],
  claims: { openid: ['sub'] },
  cookies: { keys: ['of no importance'] },
  pkce: { required: () => true },
  clientAuthMethods: [
    'none',
    'client_secret_basic',
    'client_secret_post',
    'client_secret_jwt',
    'private_key_jwt',
    'tls_client_auth',
    'self_signed_tls_client_auth',
  ],
  responseTypes: ['code', 'code id_token', 'id_token token', 'id_token'],
  rotateRefreshToken: true,
  issueRefreshToken: async (ctx, client) => client.grantTypeAllowed('refresh_token'),
  findAccount: async (ctx, id) => ({ accountId: id, claims: async () => ({ sub: id }) }),
  ttl: {
    AccessToken: settings.access_token_lifetime ?? 600,
    AuthorizationCode: 60,
    ClientCredentials: 600,
    DeviceCode: 600,
    Grant: 3600,
    IdToken: 600,
    Interaction: 600,
    RefreshToken: 3600,
    Session: 3600,
  },
  features: {
    // The login and consent pages that come with it.
    devInteractions: { enabled: true },
    clientCredentials: { enabled: true },
    deviceFlow: { enabled: true },
    mTLS: {
      enabled: true,
      tlsClientAuth: true,
      selfSignedTlsClientAuth: true,
      getCertificate: ({ req }) => req.socket.getPeerX509Certificate?.(),
      certificateAuthorized: ({ req }) => req.socket.authorized,
      certificateSubjectMatches: ({ req }, property, expected) =>
        property === 'tls_client_auth_san_dns' &&
        req.socket.getPeerX509Certificate().checkHost(expected) !== undefined,
    },
    introspection: { enabled: true, allowedPolicy: async () => true },
    revocation: { enabled: true },
    pushedAuthorizationRequests: { enabled: true },
    registration: { enabled: true, initialAccessToken: settings.initial_access_token },
    registrationManagement: { enabled: true, rotateRegistrationAccessToken: false },
    resourceIndicators: {
      enabled: true,
      defaultResource: async () => undefined,
      useGrantedResource: async () => true,
      getResourceServerInfo: async (ctx, resource) => {
        if (!settings.resources.includes(resource)) throw new errors.InvalidTarget();
        return { scope: 'read write', audience: resource, accessTokenFormat: 'opaque' };
      },
    },
    richAuthorizationRequests: {
      enabled: true,
      types: {
        payment: {
          validate: async (ctx, detail) => {
            if (!detail.amount) throw new errors.InvalidAuthorizationDetails('amount is missing');
          },
        },
      },
      authorizationDetailsForGrantSource: async (ctx) => asked(ctx),
      authorizationDetailsForAccessToken: async (ctx, resource, source) => source?.rar,
      authorizationDetailsForIntrospection: async (ctx, token) => token.rar,
    },
  },
});

function asked(ctx) {
  const details = ctx.oidc.params?.authorization_details;
  return details && JSON.parse(details);
}

for (const event of ['authorization.error', 'grant.error', 'server_error', 'revocation.error']) {
  provider.on(event, (ctx, error) => console.error(event, error));
}

// What a test may want to count.
for (const event of ['grant.success', 'grant.revoked']) {
  provider.on(event, (ctx) => console.log('event', event, ctx.oidc.params?.grant_type ?? ''));
}

// The device code for this user code has expired: nobody has to wait for that.
async function expire(userCode) {
  const stored = await provider.DeviceCode.adapter.findByUserCode(userCode.replace('-', ''));
  stored.exp = 1;
}

const serve = provider.callback();
server.on('request', async (request, response) => {
  const url = new URL(request.url, origin);
  if (url.pathname !== '/expire') return serve(request, response);
  await expire(url.searchParams.get('user_code'));
  response.end();
});
mutual.on('request', serve);
console.log(`listening ${origin} https://127.0.0.1:${mutual.address().port}`);
