// The peer's API as functions. Types come from its OpenAPI document, so that the page cannot ask for what is not there.
import createClient from 'openapi-fetch'
import { bearer, refuse } from './bearer'
import type { components, paths } from './gen/schema'
import { Problem } from './problem'

type Schemas = components['schemas']

export type Delivery = Schemas['DeliveryState']
export type StoredMessage = Schemas['StoredMessage']
export type Conversation = Schemas['Conversation']
export type NodeState = Schemas['NodeState']
export type AvailablePeer = Schemas['AvailablePeer']
export type Contact = Schemas['Contact']
export type ContactRequest = Schemas['Request']
export type NodeReport = Schemas['NodeReport']
export type PeerReport = Schemas['PeerReport']

// Longer than anything the peer takes: a connection is given up after ten seconds.
const PATIENCE_MS = 20_000

// The most messages or conversations on a page of either.
export const PAGE = 100

const client = createClient<paths>({
  baseUrl: '',
  fetch: (request) => {
    if (bearer.token !== undefined) request.headers.set('authorization', `Bearer ${bearer.token}`)
    return fetch(request, { signal: AbortSignal.timeout(PATIENCE_MS) })
  },
})

interface Answer<T> {
  data?: T
  error?: unknown
  response: Response
}

// The content of a good answer. Anything else is thrown as a `Problem`.
async function taken<T>(call: Promise<Answer<T>>): Promise<T> {
  let answer: Answer<T>
  try {
    answer = await call
  } catch (cause) {
    throw Problem.unreachable(cause)
  }
  if (answer.response.ok && answer.data !== undefined) return answer.data
  const problem = Problem.of(answer.error, answer.response.status)
  if (problem.status === 401) refuse(problem.code)
  throw problem
}

export const api = {
  openSession: (code: string) => taken(client.POST('/sessions', { body: { code } })),

  ticket: async () => (await taken(client.POST('/tickets'))).ticket,

  changePassphrase: (body: Schemas['ChangePassphrase']) => taken(client.PUT('/passphrase', { body })),

  status: () => taken(client.GET('/status')),

  start: (body: Schemas['StartNode']) => taken(client.POST('/start', { body })),

  stop: () => taken(client.POST('/stop')),

  available: async () => (await taken(client.GET('/peers'))).peers,

  conversations: async (before?: string) => {
    const query = before === undefined ? { limit: PAGE } : { limit: PAGE, before }
    return (await taken(client.GET('/conversations', { params: { query } }))).conversations
  },

  diagnostics: () => taken(client.GET('/diagnostics')),

  diagnose: (name: string) => taken(client.GET('/diagnostics/{name}', { params: { path: { name } } })),

  connect: (peer: string) => taken(client.POST('/connect', { body: { peer_username: peer } })),

  disconnect: (peer: string) =>
    taken(client.DELETE('/disconnect/{peer_username}', { params: { path: { peer_username: peer } } })),

  send: (peer: string, content: string) =>
    taken(client.POST('/send', { body: { peer_username: peer, content } })),

  broadcast: (content: string) => taken(client.POST('/broadcast', { params: { query: { content } } })),

  messages: async (peer: string, before?: string) => {
    const query = before === undefined ? { peer, limit: PAGE } : { peer, limit: PAGE, before }
    return (await taken(client.GET('/messages', { params: { query } }))).messages
  },

  markRead: (peer: string, through: string) =>
    taken(client.PUT('/conversations/{peer}/read', { params: { path: { peer } }, body: { through } })),

  settings: () => taken(client.GET('/settings')),

  changeSettings: (body: Schemas['Settings']) => taken(client.PUT('/settings', { body })),

  forgetKey: (name: string) => taken(client.DELETE('/contacts/{name}/key', { params: { path: { name } } })),

  acceptKey: (name: string, peer_id: string) =>
    taken(client.PUT('/contacts/{name}/key', { params: { path: { name } }, body: { peer_id } })),

  identity: () => taken(client.GET('/identity')),

  contacts: async () => (await taken(client.GET('/contacts'))).contacts,

  addContact: (link: string) => taken(client.POST('/contacts', { body: { link } })),

  changeContact: (name: string, body: Schemas['ContactPatch']) =>
    taken(client.PATCH('/contacts/{name}', { params: { path: { name } }, body })),

  removeContact: (name: string) => taken(client.DELETE('/contacts/{name}', { params: { path: { name } } })),

  safetyNumber: (name: string) =>
    taken(client.GET('/contacts/{name}/safety-number', { params: { path: { name } } })),

  verify: (name: string, shown: string) =>
    taken(client.PUT('/contacts/{name}/safety-number', { params: { path: { name } }, body: { shown } })),

  unverify: (name: string) =>
    taken(client.DELETE('/contacts/{name}/safety-number', { params: { path: { name } } })),

  requests: async () => (await taken(client.GET('/requests'))).requests,

  acceptRequest: (peer_id: string) =>
    taken(client.POST('/requests/{peer_id}/accept', { params: { path: { peer_id } }, body: {} })),

  refuseRequest: (peer_id: string) =>
    taken(client.DELETE('/requests/{peer_id}', { params: { path: { peer_id } } })),
}
