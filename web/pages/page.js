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

const welcome = `# Welcome to GraphiQL, an editor for the API of Colonnade.
#
# Run a query with the button or Ctrl-Enter, complete a word with Ctrl-Space.
# The book at the top left shows every table, query and mutation that you may use.

query {
  __typename
}
`;

ReactDOM.createRoot(document.getElementById('graphiql')).render(
  React.createElement(GraphiQL, { fetcher, defaultQuery: welcome, inputValueDeprecation: true }),
);

document.getElementById('logout').addEventListener('click', async () => {
  await fetch('/auth/logout', { method: 'POST', headers: { 'content-type': 'application/json' }, body: '{}' });
  login();
});
