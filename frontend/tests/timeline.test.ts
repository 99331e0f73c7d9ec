// The rules by which answers and events change a conversation.
import { describe, expect, test } from 'vitest'
import * as timeline from '@/stores/timeline'
import type { Message, Timeline } from '@/stores/timeline'

const message = (id: string, mine = false, delivery: Message['delivery'] = 'delivered'): Message => ({
  id,
  mine,
  content: id,
  timestamp: '2026-11-24T10:00:00.000Z',
  delivery,
})

const page = (...ids: string[]) => ids.map((id) => message(id))
const ids = ({ messages }: Timeline) => messages.map(({ id }) => id).join('')

function of(...messages: Message[]): Timeline {
  return { messages, complete: false }
}

describe('the newest page', () => {
  test('goes on behind what is known where they meet', () => {
    const known = of(...page('a', 'b', 'c'))
    timeline.mergeNewest(known, page('b', 'c', 'd', 'e'), 4)
    expect(ids(known)).toBe('abcde')
    expect(known.complete).toBe(false)
  })

  test('takes the place of everything where they do not meet, so that there is no hole', () => {
    const known = { ...of(...page('a', 'b')), complete: true }
    timeline.mergeNewest(known, page('x', 'y'), 2)
    expect(ids(known)).toBe('xy')
    expect(known.complete).toBe(false)
  })

  test('is all there is when it is not full', () => {
    const known = of(...page('a', 'b'))
    timeline.mergeNewest(known, page('b', 'c'), 3)
    expect(ids(known)).toBe('bc')
    expect(known.complete).toBe(true)
  })

  test('keeps the beginning known when it meets what reaches back to it', () => {
    const known = { ...of(...page('a', 'b')), complete: true }
    timeline.mergeNewest(known, page('b', 'c'), 2)
    expect(ids(known)).toBe('abc')
    expect(known.complete).toBe(true)
  })

  test('knows better how far messages got', () => {
    const known = of(message('a', true, 'queued'))
    timeline.mergeNewest(known, [message('a', true, 'delivered')], 1)
    expect(known.messages[0]?.delivery).toBe('delivered')
  })

  test('of nothing is the beginning of nothing', () => {
    const known = timeline.empty()
    timeline.mergeNewest(known, [], 10)
    expect(known).toEqual({ messages: [], complete: true })
  })
})

test('older messages go in front, none of them twice', () => {
  const known = of(...page('c', 'd'))
  timeline.mergeOlder(known, page('a', 'b', 'c'), 3)
  expect(ids(known)).toBe('abcd')
  timeline.mergeOlder(known, page('z'), 3)
  expect(ids(known)).toBe('zabcd')
  expect(known.complete).toBe(true)
})

test('a message that is told again is not shown again', () => {
  const known = of(...page('a', 'b'))
  expect(timeline.append(known, message('b'))).toBe(false)
  expect(timeline.append(known, message('c'))).toBe(true)
  expect(ids(known)).toBe('abc')
})

describe('an acknowledgement', () => {
  test('covers all of mine before it and nothing after it', () => {
    const known = of(
      message('a', true, 'sent'),
      message('b'),
      message('c', true, 'queued'),
      message('d', true, 'queued'),
    )
    timeline.advance(known, 'c', 'delivered')
    expect(known.messages.map(({ delivery }) => delivery)).toEqual([
      'delivered',
      'delivered',
      'delivered',
      'queued',
    ])
  })

  test('never takes a step back', () => {
    const known = of(
      message('a', true, 'delivered'),
      message('b', true, 'failed'),
      message('c', true, 'queued'),
    )
    timeline.advance(known, 'c', 'sent')
    expect(known.messages.map(({ delivery }) => delivery)).toEqual(['delivered', 'failed', 'sent'])
  })

  test('may be followed by word that it was read', () => {
    const known = of(
      message('a', true, 'delivered'),
      message('b', true, 'sent'),
      message('c', true, 'failed'),
    )
    timeline.advance(known, 'b', 'read')
    timeline.advance(known, 'b', 'delivered')
    timeline.keyForgotten(known)
    expect(known.messages.map(({ delivery }) => delivery)).toEqual(['read', 'read', 'failed'])
  })

  test('of an unknown message changes nothing', () => {
    const known = of(message('a', true, 'queued'))
    timeline.advance(known, 'x', 'delivered')
    expect(known.messages[0]?.delivery).toBe('queued')
  })
})

test('what lies in a mailbox waits there, whatever becomes of the link, until it arrives', () => {
  const known = of(message('a', true, 'queued'), message('b', true, 'sent'), message('c', true, 'failed'))
  timeline.advance(known, 'c', 'mailbox')
  timeline.advance(known, 'b', 'sent')
  timeline.linkLost(known)
  expect(known.messages.map(({ delivery }) => delivery)).toEqual(['mailbox', 'mailbox', 'failed'])
  timeline.advance(known, 'a', 'delivered')
  timeline.keyForgotten(known)
  expect(known.messages.map(({ delivery }) => delivery)).toEqual(['delivered', 'failed', 'failed'])
})

test('when the link is lost, what was on its way is only here again', () => {
  const known = of(message('a', true, 'delivered'), message('b', true, 'sent'), message('c', true, 'queued'))
  timeline.linkLost(known)
  expect(known.messages.map(({ delivery }) => delivery)).toEqual(['delivered', 'queued', 'queued'])
})

test('when the key is forgotten, what has not arrived has failed', () => {
  const known = of(message('a', true, 'delivered'), message('b', true, 'sent'), message('c', false))
  timeline.keyForgotten(known)
  expect(known.messages.map(({ delivery }) => delivery)).toEqual(['delivered', 'failed', 'delivered'])
})

test('unread are theirs after the one that was read last', () => {
  const known = of(message('a'), message('b', true), message('c'), message('d'))
  expect(timeline.unread(known, 'b')).toBe(2)
  expect(timeline.unread(known, 'd')).toBe(0)
  expect(timeline.unread(known, undefined)).toBe(3)
})

test('what is trimmed is read again', () => {
  const known = { ...of(...page('a', 'b', 'c')), complete: true }
  timeline.trim(known, 2)
  expect(ids(known)).toBe('bc')
  expect(known.complete).toBe(false)
})
