// Whether somebody is there, as far as this node knows.
import type { Chat } from '@/stores/chats'
import { contacts } from '@/stores/contacts'
import { available } from '@/stores/people'
import type { Presence } from './PeerAvatar.vue'

export function presenceOf({ peer, connected }: Pick<Chat, 'peer' | 'connected'>): Presence {
  if (connected) return 'connected'
  // The tracker knows them by the name that they gave themselves.
  return available.value.has(contacts.value.get(peer)?.tracker_name ?? peer) ? 'available' : 'away'
}
