// @vitest-environment jsdom
// Who is available goes by another name at the tracker than here.
import { expect, test } from 'vitest'
import type { AvailablePeer, Contact } from '@/api/client'
import { presenceOf } from '@/components/presence'
import { contacts } from '@/stores/contacts'
import { available } from '@/stores/people'

test('a contact with a name of mine is looked for by their own', () => {
  contacts.value = new Map([['uncle', { name: 'uncle', tracker_name: 'bob' } as Contact]])
  available.value = new Map([['bob', { username: 'bob' } as AvailablePeer]])
  const shown = ['uncle', 'bob', 'carol'].map((peer) => presenceOf({ peer, connected: false }))
  expect(shown).toEqual(['available', 'available', 'away'])
})
