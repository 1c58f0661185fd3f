// The page of one's own account. It asks the GraphQL API, like every client, with the rights of who looks at it.
'use strict';

const $ = (id) => document.getElementById(id);
let later = null; // what to do once the second factor was proved again

function show(message) {
  $('problem').textContent = message[0].toUpperCase() + message.slice(1);
  $('problem').hidden = !message;
}

async function post(path, body) {
  const response = await fetch(path, { method: 'POST', headers: { 'content-type': 'application/json' }, body: JSON.stringify(body) });
  const answer = await response.json();
  if (answer.errors) throw new Error(answer.errors[0].message);
  return answer;
}

const ask = async (query, variables) => (await post('/graphql', { query, variables })).data;

// attempt does something, and shows what went wrong. When the second factor is asked for, it is done after that.
async function attempt(work) {
  $('problem').hidden = true;
  try {
    await work();
  } catch (error) {
    const again = error.message.includes('second factor again');
    show(again ? 'prove your second factor again: then this goes on' : error.message);
    if (again) {
      later = work;
      $('again').hidden = false;
      $('again').elements.code.focus();
    }
  }
}

function onSubmit(id, work) {
  $(id).addEventListener('submit', (event) => {
    event.preventDefault();
    const fields = Object.fromEntries(new FormData($(id)));
    attempt(async () => {
      await work(fields);
      $(id).reset();
    });
  });
}

const onClick = (id, work) => $(id).addEventListener('click', () => attempt(work));

// draw draws the rows of a QR code with the margin of four that readers need.
function draw(rows) {
  const size = rows.length + 8;
  const path = document.createElementNS('http://www.w3.org/2000/svg', 'path');
  path.setAttribute('d', rows.flatMap((row, y) => [...row].map((c, x) => (c === '1' ? `M${x + 4} ${y + 4}h1v1h-1z` : ''))).join(''));
  $('qr').setAttribute('viewBox', `0 0 ${size} ${size}`);
  $('qr').replaceChildren(path);
}

function item(text, label, work) {
  const li = document.createElement('li');
  li.textContent = text;
  if (label) {
    const button = document.createElement('button');
    button.type = 'button';
    button.textContent = label;
    button.addEventListener('click', () => attempt(async () => {
      await work();
      await load();
    }));
    li.append(button);
  }
  return li;
}

const time = (t) => new Date(t).toLocaleString();

async function load() {
  const all = await ask('mutation { a: list_sessions { sessions { id current method second_factor address agent seen_at } } b: list_api_keys { keys { id name prefix expires_at revoked_at used_at } } c: list_logins { logins { id issuer subject } } d: list_passkeys { passkeys { id name host used_at } } }');
  $('passkeys').replaceChildren(...all.d.passkeys.map((k) => item(
    `${k.name}, for ${k.host}${k.used_at ? `, used ${time(k.used_at)}` : ''}`,
    'Take away',
    () => ask('mutation($id: uuid!) { drop_passkey(id: $id) { id } }', { id: k.id }),
  )));
  $('logins').replaceChildren(...all.c.logins.map((l) => item(
    `${l.issuer}, ${l.subject}`,
    'Disconnect',
    () => ask('mutation($id: uuid!) { disconnect_login(id: $id) { id } }', { id: l.id }),
  )));
  $('sessions').replaceChildren(...all.a.sessions.map((s) => item(
    `${s.agent || 'a program'}, ${s.address}, ${s.method}${s.second_factor ? ' and second factor' : ''}, ${time(s.seen_at)}`,
    s.current ? '' : 'End',
    () => ask('mutation($id: uuid!) { end_sessions(id: $id) { ended } }', { id: s.id }),
  )));
  $('keys').replaceChildren(...all.b.keys.filter((k) => !k.revoked_at).map((k) => item(
    `${k.name}, ${k.prefix}…, until ${time(k.expires_at)}${k.used_at ? `, used ${time(k.used_at)}` : ''}`,
    'Revoke',
    () => ask('mutation($id: uuid!) { revoke_api_key(id: $id) { id } }', { id: k.id }),
  )));
}

async function proved() {
  $('again').hidden = true;
  if (later) await later();
}

function showCodes(codes) {
  $('codes').textContent = `Keep these codes elsewhere. Each signs in once, without the app or the passkey.\n\n${codes.join('\n')}`;
  $('codes').hidden = false;
}

onSubmit('again', async ({ code }) => {
  await post('/auth/second-factor', { code });
  await proved();
});
if (passkeys.possible()) {
  $('add').hidden = false;
  $('again-passkey').hidden = false;
}
onClick('again-passkey', async () => {
  await passkeys.signIn();
  await proved();
});
onSubmit('add', async ({ name }) => {
  const codes = await passkeys.add(name);
  if (codes) showCodes(codes);
  await load();
});
onSubmit('password', async (fields) => {
  await ask('mutation($old: String!, $new: String!) { change_password(old: $old, new: $new) { id } }', fields);
  await load();
});
onClick('enroll', async () => {
  const { enroll_totp: app } = await ask('mutation { enroll_totp { secret qr } }');
  draw(app.qr);
  $('secret').textContent = app.secret.match(/.{1,4}/g).join(' ');
  $('confirm').hidden = false;
});
onSubmit('confirm', async ({ code }) => {
  const { confirm_totp: done } = await ask('mutation($code: String!) { confirm_totp(code: $code) { recovery_codes } }', { code });
  showCodes(done.recovery_codes);
  $('confirm').hidden = true;
});
onClick('drop', async () => {
  await ask('mutation { drop_second_factor { id } }');
  await load();
});
onClick('end', async () => {
  await ask('mutation { end_sessions { ended } }');
  await load();
});
document.querySelectorAll('button[data-provider]').forEach((button) => button.addEventListener('click', () => attempt(async () => {
  const { location: to } = await post(`/auth/oidc/${button.dataset.provider}/leave`, { next: '/account', connect: '1' });
  location.assign(to);
})));
attempt(load);
