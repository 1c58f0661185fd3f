// An identity provider for the tests: one client, and whoever writes his name into its form.
//
//   node provider.mjs PORT CALLBACK
import Provider from 'oidc-provider';

const [port, callback] = process.argv.slice(2);
const issuer = `http://127.0.0.1:${port}`;
const groups = { ann: ['sales', 'all'], bob: ['all'] };

const provider = new Provider(issuer, {
  clients: [{ client_id: 'colonnade', client_secret: 'canary-client-secret', redirect_uris: [callback], response_types: ['code'], grant_types: ['authorization_code'] }],
  pkce: { required: () => true },
  claims: { openid: ['sub'], email: ['email', 'email_verified'], profile: ['name'], groups: ['groups'] },
  scopes: ['openid', 'email', 'profile', 'groups'],
  conformIdTokenClaims: false,
  features: { devInteractions: { enabled: true } },
  cookies: { keys: ['only for tests'] },
  findAccount: (_, id) => ({
    accountId: id,
    claims: () => ({ sub: id, email: `${id}@example.com`, email_verified: id !== 'eve', name: id, groups: groups[id] || [] }),
  }),
});
provider.listen(Number(port), '127.0.0.1', () => console.log('ready'));
