// GraphiQL on the endpoint of this server, with the session of this browser.
'use strict';

function login() {
  location.assign('/login?redirect=' + encodeURIComponent(location.pathname + location.search));
}

async function fetcher(request, options) {
  const response = await fetch('/graphql', {
    method: 'POST',
    headers: { 'content-type': 'application/json', accept: 'application/json', ...(options && options.headers) },
    body: JSON.stringify(request),
  });
  if (response.status === 401) login();
  return response.json();
}

const welcome = `# GraphiQL, an editor for the API of Colonnade.
#
# Ctrl-Enter runs a query, Ctrl-Space completes.
# The book at the top left shows every table,
# query and mutation.

query {
  __typename
}
`;

const query = new URLSearchParams(location.search).get('query') || undefined; // shown, not run
ReactDOM.createRoot(document.getElementById('graphiql')).render(
  React.createElement(GraphiQL, { fetcher, query, defaultQuery: welcome, inputValueDeprecation: true }),
);

document.getElementById('logout').addEventListener('click', async () => {
  const response = await fetch('/auth/logout', { method: 'POST', headers: { 'content-type': 'application/json' }, body: '{}' });
  await response.json();
  login();
});
