// Somebody with a peer program: what they do through its API, for the parts of a play that are not about the page.
import { expect } from '@playwright/test'
import { ask, Folder, Program } from './program'

interface Message {
  id: string
  from: string
  content: string
  delivery: string
}

export class Peer {
  private constructor(
    readonly name: string,
    readonly program: Program,
    private readonly folders: Folder[],
    private readonly flags: (data: Folder) => string[],
  ) {}

  static async start(name: string, tracker: Program, more: string[] = []): Promise<Peer> {
    const data = new Folder()
    const flags = (data: Folder) => [
      '--data-dir',
      data.path,
      '--p2p',
      '127.0.0.1:0',
      '--tracker',
      tracker.url,
      ...more,
    ]
    return new Peer(name, await Program.start('chatp2p-peer', flags(data)), [data], flags)
  }

  private get data(): Folder {
    const data = this.folders.at(-1)
    if (!data) throw new Error('a peer without data')
    return data
  }

  get page(): string {
    // By name: the page is to work under the name that people type.
    return `http://localhost:${this.program.port}/app/`
  }

  async call(method: string, path: string, body?: unknown): Promise<unknown> {
    const answer = await fetch(
      this.program.url + path,
      body === undefined
        ? { method }
        : { method, headers: { 'content-type': 'application/json' }, body: JSON.stringify(body) },
    )
    const text = await answer.text()
    if (!answer.ok) throw new Error(`${method} ${path}: ${answer.status} ${text}`)
    return JSON.parse(text)
  }

  // A link that opens the page once, where this peer asks for tokens.
  link(): string {
    return ask('link', '--data-dir', this.data.path).trim()
  }

  token(scope: 'read' | 'send' | 'admin'): string {
    return ask('token', 'create', '--scope', scope, '--data-dir', this.data.path).trim()
  }

  // The ids of the tokens that there are.
  tokens(): string[] {
    const lines = ask('token', 'list', '--data-dir', this.data.path).trim().split('\n').slice(1)
    return lines.map((line) => line.split(' ')[0] ?? '')
  }

  revoke(id: string): void {
    ask('token', 'revoke', id, '--data-dir', this.data.path)
  }

  // Goes online without the page.
  async goOnline(): Promise<void> {
    await this.call('POST', '/start', { username: this.name, port: 0 })
  }

  connect(to: Peer): Promise<unknown> {
    return this.call('POST', '/connect', { peer_username: to.name })
  }

  send(to: Peer, content: string): Promise<unknown> {
    return this.call('POST', '/send', { peer_username: to.name, content })
  }

  async messages(): Promise<Message[]> {
    return ((await this.call('GET', '/messages?limit=1000')) as { messages: Message[] }).messages
  }

  // Waits until exactly this was said, in this order, by these.
  async hears(...said: [from: string, content: string][]): Promise<void> {
    await expect
      .poll(async () => (await this.messages()).map(({ from, content }) => [from, content]), {
        timeout: 30_000,
      })
      .toEqual(said)
  }

  // Somebody who lost the computer and begins anew under the same name, with another key.
  async reinstall(): Promise<Peer> {
    await this.program.end()
    const data = new Folder()
    this.folders.push(data)
    const program = await Program.start('chatp2p-peer', this.flags(data))
    return new Peer(this.name, program, this.folders, this.flags)
  }

  async end(): Promise<void> {
    await this.program.end()
    for (const folder of this.folders) folder.remove()
  }
}
