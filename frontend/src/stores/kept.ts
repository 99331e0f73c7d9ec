// What this browser keeps from one visit to the next, where it keeps anything: private windows may refuse.
import { reactive } from 'vue'

// What was kept under this name, if anything was.
export function kept(name: string): unknown {
  try {
    return JSON.parse(localStorage.getItem(name) ?? 'null')
  } catch {
    return null
  }
}

export function keep(name: string, value: unknown): void {
  try {
    localStorage.setItem(name, JSON.stringify(value))
  } catch {
    // Full or forbidden: it holds until the page is closed.
  }
}

// A text for each peer, kept for each of one's own names: several nodes may be looked at from one browser, on one port after
// the other. The same in every tab.
export class KeptTexts {
  // No plain object: somebody may be called `constructor`.
  private readonly texts = reactive(new Map<string, string>())
  private owner: string | undefined

  constructor(private readonly what: string) {
    addEventListener('storage', ({ key }) => {
      if (this.owner !== undefined && key === this.name(this.owner)) this.read(this.owner)
    })
  }

  // Takes up what is kept for this node. Says whether anything is.
  open(owner: string): boolean {
    if (this.owner !== owner) this.texts.clear()
    this.owner = owner
    return this.read(owner)
  }

  get(peer: string): string | undefined {
    return this.texts.get(peer)
  }

  set(peer: string, text: string | undefined): void {
    if (this.owner === undefined || this.texts.get(peer) === text) return
    if (text === undefined) this.texts.delete(peer)
    else this.texts.set(peer, text)
    this.keep()
  }

  keep(): void {
    if (this.owner !== undefined) keep(this.name(this.owner), [...this.texts])
  }

  private name(owner: string): string {
    return `chatp2p.${this.what}.${owner}`
  }

  private read(owner: string): boolean {
    const entries = kept(this.name(owner))
    if (!Array.isArray(entries)) return false
    this.texts.clear()
    for (const [peer, text] of entries as [string, string][]) this.texts.set(peer, text)
    return true
  }
}
