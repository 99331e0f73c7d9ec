// Why something was refused, in the shape that every refusal of the peer has (RFC 9457).

// The code for a peer that does not answer at all.
export const UNREACHABLE = 'node_unreachable'

export class Problem extends Error {
  constructor(
    // The stable code, by which the page finds words in the reader's language.
    readonly code: string,
    detail: string,
    readonly status: number,
    options?: ErrorOptions,
  ) {
    super(detail, options)
    this.name = 'Problem'
  }

  static of(body: unknown, status: number): Problem {
    const text = (field: string) => {
      const value =
        typeof body === 'object' && body !== null ? (body as Record<string, unknown>)[field] : undefined
      return typeof value === 'string' ? value : undefined
    }
    return new Problem(text('code') ?? 'unknown', text('detail') ?? `HTTP ${status}`, status)
  }

  // The peer itself does not answer.
  static unreachable(cause: unknown): Problem {
    return new Problem(UNREACHABLE, String(cause), 0, { cause })
  }
}

// Whatever was thrown, as a problem.
export function asProblem(thrown: unknown): Problem {
  return thrown instanceof Problem ? thrown : new Problem('unknown', String(thrown), 0, { cause: thrown })
}
