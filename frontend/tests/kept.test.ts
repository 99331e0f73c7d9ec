// @vitest-environment jsdom
// What the browser keeps for each peer, whatever the peer is called.
import { beforeEach, expect, test } from 'vitest'
import { draftOf, keepDraft, openDrafts } from '@/stores/drafts'
import { markRead, openReading, readOf } from '@/stores/reading'

const NAMES = ['bob', 'constructor', '__proto__', 'toString', 'hasOwnProperty']

function open(owner: string): void {
  openDrafts(owner)
  openReading(owner, [])
}

beforeEach(() => localStorage.clear())

test('a name that the language knows too is a name like any other', () => {
  open('alice')
  for (const name of NAMES) {
    expect([draftOf(name), readOf(name)], name).toEqual(['', undefined])
    keepDraft(name, `to ${name}`)
    markRead(name, `read ${name}`)
  }
  // Another node, and back again: what was kept is read anew.
  open('carol')
  for (const name of NAMES) expect([draftOf(name), readOf(name)], name).toEqual(['', undefined])
  open('alice')
  for (const name of NAMES)
    expect([draftOf(name), readOf(name)], name).toEqual([`to ${name}`, `read ${name}`])
})

test('in a new browser all there is counts as read, and later nothing does by itself', () => {
  const last = (id: string) => ({
    id,
    from: 'bob',
    excerpt: '',
    timestamp: '',
    delivery: 'delivered' as const,
  })
  openReading('dave', [{ peer: 'bob', contact: true, connected: false, last: last('1') }])
  expect(readOf('bob')).toBe('1')
  openReading('dave', [{ peer: 'bob', contact: true, connected: false, last: last('2') }])
  expect(readOf('bob')).toBe('1')
})

test('what is kept may be damaged', () => {
  localStorage.setItem('chatp2p.drafts.erin', '[["half')
  openDrafts('erin')
  expect(draftOf('bob')).toBe('')
})
