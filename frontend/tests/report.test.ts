// What a report says, and that whatever others have said stays on its line.
import { expect, test } from 'vitest'
import type { NodeReport, PeerReport } from '@/api/client'
import { advice, isWell, mailed, nodeText, peerText, verdict, type Words } from '@/components/report'

const words: Words = {
  t: (key, values = {}) => [key, ...Object.values(values)].join(' '),
  problem: ({ code }) => `words for ${code}`,
  next: (code, fallback) => (code === 'port_closed' ? 'open it' : fallback),
  time: (timestamp) => timestamp.slice(11, 16),
}

const AT = '2026-11-25T07:00:00.000Z'
const detail = 'ws://10.0.0.2:5001/p2p:\n\u001b[31mrefused'
const away: PeerReport = {
  peer: 'bob',
  connected: false,
  trying: true,
  steps: [
    { step: 'found', state: 'ok', at: AT },
    { step: 'dialled', state: 'failed', at: AT, code: 'port_closed', detail },
    { step: 'secured', state: 'not_reached' },
  ],
  tried: [
    { endpoint: 'ws://10.0.0.2:5001/p2p', at: AT, step: 'dialled', ok: false, code: 'port_closed', detail },
  ],
  outbox: { messages: 2, bytes: 10, full: true },
  failed: 'dialled',
  code: 'port_closed',
  detail,
  next: 'the words of the node',
}

test('the verdict is the link, else what is in the way, else that it is being tried', () => {
  expect(verdict({ ...away, connected: true }, words)).toBe('why.connected bob')
  expect(verdict(away, words)).toBe('words for port_closed')
  const { peer, connected, trying, steps, tried, outbox } = away
  expect(verdict({ peer, connected, trying, steps, tried, outbox }, words)).toBe('why.trying')
})

test('what to do is said in the words of the page, else in those of the node', () => {
  expect(advice(away, words)).toBe('open it')
  expect(advice({ code: 'new_one', next: 'as the node says' }, words)).toBe('as the node says')
})

test('the report of a peer has each step, each address and what waits, a line each', () => {
  expect(peerText(away, words).split('\n')).toEqual([
    'bob: words for port_closed',
    'open it',
    '- why.steps.found: why.states.ok · 07:00',
    '- why.steps.dialled: why.states.failed · 07:00 · port_closed: ws://10.0.0.2:5001/p2p: [31mrefused',
    '- why.steps.secured: why.states.not_reached',
    'why.tried:',
    '- ws://10.0.0.2:5001/p2p · port_closed: ws://10.0.0.2:5001/p2p: [31mrefused',
    'why.waiting 2 bob why.full',
  ])
})

test('what waits for who is away is said to be in a mailbox, or why it is not', () => {
  const mail = { at: AT, ok: true }
  expect(mailed({ ...away, mail }, words)).toBe('why.mailed 07:00')
  const refused = { at: AT, ok: false, code: 'mailbox_full', detail: 'no room', next: 'wait' }
  expect(mailed({ ...away, mail: refused }, words)).toBe('why.unmailed words for mailbox_full wait')
  // The words for what keeps a link from coming about would say that the friend's program does not run.
  const dialled = { ...refused, code: 'port_closed' }
  expect(mailed({ ...away, mail: dialled }, words)).toBe('why.unmailed words for mailbox_unreachable')
  expect(
    peerText({ ...away, mail: dialled }, words)
      .split('\n')
      .at(-1),
  ).toBe('why.unmailed words for mailbox_unreachable · port_closed: no room')
})

test('nothing is said of mail where nothing waits any more', () => {
  const mail = { at: AT, ok: true }
  expect(mailed({ ...away, mail, connected: true }, words)).toBeUndefined()
  expect(mailed({ ...away, mail, outbox: { messages: 0, bytes: 0, full: false } }, words)).toBeUndefined()
})

const well: NodeReport = {
  running: true,
  version: '0.1.0',
  username: 'alice',
  peer_id: 'key',
  advertised: [{ endpoint: 'ws://10.0.0.1:5001/p2p', reach: 'private' }],
  callers: [],
  links: 1,
  outboxes: [],
  trackers: [{ url: 'http://10.0.0.3:8000/', answered_in_ms: 4 }],
  findings: [],
}

test('a node is well while each tracker answers and nothing was found', () => {
  expect(isWell(well)).toBe(true)
  expect(isWell({ ...well, trackers: [{ code: 'tracker_unreachable' }] })).toBe(false)
  expect(isWell({ ...well, findings: [{ code: 'clock_off', detail: 'by 90 s' }] })).toBe(false)
})

test('the report of a node says where it is, who has called and how each tracker answers', () => {
  const report = nodeText(
    { ...well, trackers: [...well.trackers, { code: 'tracker_unreachable', detail: 'refused' }] },
    words,
  )
  expect(report).toContain('- ws://10.0.0.1:5001/p2p · own.reach.private')
  expect(report).toContain('- own.nobody')
  expect(report).toContain('- http://10.0.0.3:8000/: own.answered 4')
  expect(report).toContain('- own.inProcess: own.silent · tracker_unreachable: refused')
  const finding = { code: 'timed_out', detail: 'no mail can be collected' }
  expect(nodeText({ ...well, findings: [finding] }, words)).toContain(
    'words for mailbox_unreachable · timed_out: no mail can be collected',
  )
})
