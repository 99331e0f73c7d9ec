// What the peer tells on `/ws`.
import type { Delivery } from './client'

export type Event =
  | { type: 'message'; data: { id: string; from: string; content: string; timestamp: string } }
  | {
      type: 'written'
      data: { id: string; to: string; content: string; timestamp: string; delivery: Delivery }
    }
  | { type: 'sent' | 'mailbox' | 'delivered' | 'read'; peer: string; through: string }
  | { type: 'peer_connected' | 'peer_disconnected' | 'key_accepted' | 'key_forgotten'; peer: string }
  | { type: 'key_changed'; peer: string; presented: string }
  | { type: 'contact_added' | 'contact_verified' | 'contact_blocked' | 'contact_removed'; peer: string }
  | { type: 'contact_renamed'; peer: string; name: string }
  | { type: 'request' | 'request_closed'; peer_id: string }
  | { type: 'tracker_trouble'; code: string }
  | { type: 'gap'; missed: number | null }
  | { type: 'started'; username: string }
  | { type: 'stopped' }
  | { type: 'pong' }

// An event from its text; `undefined` for what this page does not know, which is ignored.
export function parse(text: string): Event | undefined {
  const value: unknown = JSON.parse(text)
  const known =
    typeof value === 'object' && value !== null && 'type' in value && KNOWN.has(value.type as string)
  return known ? (value as Event) : undefined
}

const KNOWN = new Set<string>([
  'message',
  'written',
  'sent',
  'mailbox',
  'delivered',
  'read',
  'peer_connected',
  'peer_disconnected',
  'key_changed',
  'key_accepted',
  'key_forgotten',
  'contact_added',
  'contact_renamed',
  'contact_verified',
  'contact_blocked',
  'contact_removed',
  'request',
  'request_closed',
  'tracker_trouble',
  'gap',
  'started',
  'stopped',
  'pong',
] satisfies Event['type'][])
