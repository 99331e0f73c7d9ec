// Whether somebody is there, as far as this node knows.
import type { Chat } from '@/stores/chats'
import { available } from '@/stores/people'
import type { Presence } from './PeerAvatar.vue'

export function presenceOf({ peer, connected }: Pick<Chat, 'peer' | 'connected'>): Presence {
  if (connected) return 'connected'
  return available.value.has(peer) ? 'available' : 'away'
}
