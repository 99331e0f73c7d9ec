// The real programs, each in a process of its own with its own data, on ports that nobody else has.
import { execFileSync, spawn, type ChildProcess } from 'node:child_process'
import { existsSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'

const FOLDER = process.env.CHATP2P_PROGRAMS ?? join(import.meta.dirname, '../../target/debug')
const SUFFIX = process.platform === 'win32' ? '.exe' : ''

// Longer than anything takes that is to happen.
const WITHIN_MS = 30_000

export class Program {
  private constructor(
    private readonly name: string,
    private readonly flags: string[],
    readonly url: string,
    private child: ChildProcess,
  ) {}

  // Starts a program. It serves when this returns.
  static async start(name: 'chatp2p-tracker' | 'chatp2p-peer', flags: string[]): Promise<Program> {
    const { child, url } = await run(name, ['--bind', '127.0.0.1:0', ...flags])
    return new Program(name, flags, url, child)
  }

  get port(): string {
    return new URL(this.url).port
  }

  // Ends it: in good order, or as a power cut would.
  async end(signal: 'SIGTERM' | 'SIGKILL' = 'SIGTERM'): Promise<void> {
    const ended = new Promise((done) => this.child.once('exit', done))
    if (this.child.exitCode !== null || this.child.signalCode !== null) return
    this.child.kill(signal)
    await within('the end of a program', ended)
  }

  // Starts it again where it was.
  async again(): Promise<void> {
    const { child } = await run(this.name, ['--bind', `127.0.0.1:${this.port}`, ...this.flags])
    this.child = child
  }
}

async function run(name: string, flags: string[]): Promise<{ child: ChildProcess; url: string }> {
  const program = join(FOLDER, name + SUFFIX)
  if (!existsSync(program)) throw new Error(`${program} is not built: cargo build --workspace`)
  const child = spawn(program, flags, { stdio: ['ignore', 'pipe', 'pipe'] })
  let said = ''
  child.stderr?.on('data', (data: Buffer) => (said += data.toString()))
  const listening = new Promise<string>((done, fail) => {
    child.once('error', fail)
    child.once('exit', (code) => fail(new Error(`${name} ended with ${code}: ${said}`)))
    createInterface({ input: child.stdout as NodeJS.ReadableStream }).on('line', (line) => {
      const url = /listening on (http:\S+)/.exec(line)?.[1]
      if (url) done(url)
    })
  })
  return { child, url: await within(`${name} says where it serves`, listening) }
}

// What the peer's program prints when it is asked for something and ends by itself.
export function ask(...args: string[]): string {
  return execFileSync(join(FOLDER, 'chatp2p-peer' + SUFFIX), args, { encoding: 'utf8', timeout: WITHIN_MS })
}

export async function within<T>(what: string, promise: Promise<T>): Promise<T> {
  let timer: ReturnType<typeof setTimeout> | undefined
  const late = new Promise<never>((_, fail) => {
    timer = setTimeout(() => fail(new Error(`it never came: ${what}`)), WITHIN_MS)
  })
  return Promise.race([promise, late]).finally(() => clearTimeout(timer))
}

// A folder that is removed at the end.
export class Folder {
  readonly path = mkdtempSync(join(tmpdir(), 'chatp2p-e2e-'))

  remove(): void {
    rmSync(this.path, { recursive: true, force: true })
  }
}
