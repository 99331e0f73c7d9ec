// A page as people wrote them for the classic API: served from an origin of its own, it calls the peer across origins and
// reads nothing of an answer but whether it is good, and the `detail` of one that is not.
const settings = new URLSearchParams(location.search)
const api = settings.get('api')
const tracker = settings.get('tracker')
const byId = (id) => document.getElementById(id)

function log(text) {
  const item = document.createElement('li')
  item.textContent = text
  byId('log').append(item)
}

function post(path, body) {
  return fetch(api + path, {
    method: 'POST',
    headers: { 'Content-Type': 'application/json' },
    body: JSON.stringify(body),
  })
}

const socket = new WebSocket(`${api.replace('http', 'ws')}/ws`)
socket.onopen = () => socket.send('ping')
socket.onmessage = ({ data }) => {
  const event = JSON.parse(data)
  if (event.type === 'pong') log('pong')
  if (event.type === 'message')
    log(`${event.data.from}: ${event.data.content} @ ${typeof event.data.timestamp}`)
  if (event.type === 'peer_connected') log(`+ ${event.peer}`)
  if (event.type === 'peer_disconnected') log(`- ${event.peer}`)
}

byId('start').onsubmit = async (event) => {
  event.preventDefault()
  const username = new FormData(event.target).get('username')
  const answer = await post('/start', { username, port: 0, tracker_url: tracker })
  byId('error').textContent = answer.ok ? '' : (await answer.json()).detail
  if (answer.ok) {
    log(`started ${(await answer.json()).username}`)
    looking = setInterval(showPeers, 200)
  }
}

let looking

// A question asked just before `stop` may be answered by a refusal, because nothing runs any more.
async function showPeers() {
  const available = await fetch(`${api}/peers`)
  const connected = await fetch(`${api}/connected-peers`)
  if (!available.ok || !connected.ok) return
  const { peers } = await available.json()
  byId('peers').replaceChildren(
    ...peers.map(({ username, host, port }) => {
      const button = document.createElement('button')
      button.textContent = `${username} at ${host}:${typeof port}`
      button.onclick = async () => {
        const answer = await post('/connect', { peer_username: username })
        log(answer.ok ? `connect ${(await answer.json()).status}` : 'connect refused')
      }
      return button
    }),
  )
  const { connected_peers } = await connected.json()
  byId('connected').textContent = connected_peers.join(',')
}

byId('send').onsubmit = async (event) => {
  event.preventDefault()
  const content = new FormData(event.target).get('content')
  const answer = await post('/send', { peer_username: byId('connected').textContent, content })
  log(answer.ok ? `send ${(await answer.json()).status}` : `send refused ${answer.status}`)
}

byId('broadcast').onclick = async () => {
  const answer = await fetch(`${api}/broadcast?content=${encodeURIComponent('to all & sundry')}`, {
    method: 'POST',
  })
  log(answer.ok ? `broadcast ${(await answer.json()).status}` : 'broadcast refused')
}

byId('disconnect').onclick = async () => {
  const answer = await fetch(`${api}/disconnect/${encodeURIComponent(byId('connected').textContent)}`, {
    method: 'DELETE',
  })
  log(`disconnect ${answer.ok}`)
}

byId('stop').onclick = async () => {
  clearInterval(looking)
  const answer = await fetch(`${api}/stop`, { method: 'POST' })
  log(answer.ok ? `stop ${(await answer.json()).status}` : 'stop refused')
}
