// Who is known, beside what is said with them, and who asks to be. Read anew whenever the peer tells that something about it changed.
import { shallowRef } from 'vue'
import { api, type Contact, type ContactRequest } from '@/api/client'
import type { Event } from '@/api/event'
import { node } from './node'
import { refuse } from './notices'

export const contacts = shallowRef<ReadonlyMap<string, Contact>>(new Map())
export const requests = shallowRef<readonly ContactRequest[]>([])

let reading = false
let again = false

export async function readContacts(): Promise<void> {
  again = true
  if (reading) return
  reading = true
  try {
    while (again && node.phase === 'running') {
      again = false
      const [known, asking] = await Promise.all([api.contacts(), api.requests()])
      contacts.value = new Map(known.map((contact) => [contact.name, contact]))
      requests.value = asking
    }
  } catch {
    // What was known stays on show; that the node cannot be reached is said elsewhere.
  } finally {
    reading = false
  }
}

// Blocks a contact, or no longer. The peer tells of it, and then it shows.
export async function block(contact: Contact, blocked: boolean): Promise<void> {
  try {
    await api.changeContact(contact.name, { blocked })
  } catch (thrown) {
    refuse(thrown)
  }
}

export function clearContacts(): void {
  contacts.value = new Map()
  requests.value = []
}

// Whether an event is about what is kept here.
export function concerns(event: Event): boolean {
  if (event.type === 'peer_connected') return !contacts.value.has(event.peer)
  return /^(contact|key|request)/.test(event.type)
}
