import { describe, expect, it } from 'vitest'
import { retryMsOf } from '../../src/engine/copy/workers/failure.ts'
import { openWithRetries, withRetries } from '../../src/engine/copy/workers/retries.ts'
import { SourceViews } from '../../src/engine/copy/source-views.ts'
import type { EventBody } from '../../src/model/run/event.ts'
import { Attempts } from '../../src/shared/attempts.ts'
import { SluiceError, type ErrorCode } from '../../src/shared/errors.ts'
import type { CopyStore } from '../../src/model/copy/port.ts'

const { signal } = new AbortController()

/** Fails this many times and then succeeds. */
function failing(code: ErrorCode, times: number, details: { readonly kind?: 'source'; readonly retryable?: boolean }) {
  const seen = { calls: 0 }
  const body = async (): Promise<string> => {
    if (++seen.calls > times) return 'there'
    throw new SluiceError(code, 'no', { retryable: true, ...details })
  }
  return { seen, body }
}

describe('opening a store', () => {
  const open = async (code: ErrorCode, times: number, retryable = true) => {
    const events: EventBody[] = []
    const { seen, body } = failing(code, times, { retryable })
    const end = await openWithRetries(body, { emit: (event) => void events.push(event) }, signal).catch(
      (error: SluiceError) => error.code,
    )
    return { end, calls: seen.calls, events }
  }

  it('is retried while its server is overloaded, and the retry is reported', async () => {
    const { end, calls, events } = await open('TARGET_BUSY', 2)
    expect([end, calls]).toEqual(['there', 3])
    expect(events).toEqual([
      { type: 'log', level: 'warn', message: 'no; trying again' },
      { type: 'log', level: 'note', message: 'the run continues; this failure has ended: no' },
    ])
  })

  it('is not retried if the server is unreachable, or if the error is not retryable', async () => {
    expect(await open('CONNECT_FAILED', 1)).toMatchObject({ end: 'CONNECT_FAILED', calls: 1, events: [] })
    expect(await open('TARGET_BUSY', 1, false)).toMatchObject({ end: 'TARGET_BUSY', calls: 1, events: [] })
  })
})

it('a retry reports location and cause, and again only if the cause changes', async () => {
  const events: EventBody[] = []
  const causes = ['refused', 'refused', 'late']
  const body = async (): Promise<string> => {
    const reason = causes.shift()
    if (reason === undefined) return 'there'
    throw new SluiceError('CONNECT_FAILED', 'no connection', { retryable: true, reason, where: 'postgresql://host/db' })
  }
  await withRetries(body, { emit: (event) => void events.push(event) }, signal)
  expect(events.map((event) => (event.type === 'log' ? event.message : ''))).toEqual([
    'no connection (refused): postgresql://host/db; trying again',
    'no connection (late): postgresql://host/db; trying again',
    'the run continues; this failure has ended: no connection (late): postgresql://host/db',
  ])
})

it('no retry follows a stop', async () => {
  const stop = new AbortController()
  const { seen, body } = failing('CONNECTION_LOST', 100, {})
  const emit = (): void => stop.abort(new SluiceError('STOPPED', 'asked'))
  await expect(withRetries(body, { emit }, stop.signal)).rejects.toMatchObject({ code: 'STOPPED' })
  expect(seen.calls).toBe(1)
})

describe('attempts at one piece of work', () => {
  /** Seconds until work is given up if each attempt fails at once. */
  function secondsUntilGivenUp(retryMs: number): { readonly seconds: number; readonly failures: number } {
    let now = 0
    const attempts = new Attempts(retryMs, { ticks: () => now })
    for (let failures = 1; ; failures++) {
      const waitMs = attempts.failed()
      if (waitMs === null) return { seconds: now / 1000, failures }
      now += waitMs
    }
  }

  it('continue for the retry time, whatever the pauses', () => {
    for (let run = 0; run < 200; run++) expect(secondsUntilGivenUp(60_000).seconds).toBeGreaterThanOrEqual(60)
  })

  it('are at least eight, however short the retry time', () => {
    expect(secondsUntilGivenUp(0).failures).toBe(8)
  })

  it('use the longer retry time of both stores, and a minute if a URL has none', () => {
    const store = (can: object): CopyStore => ({ can }) as unknown as CopyStore
    expect(retryMsOf(store({ retryMs: 2000 }), store({ retryMs: 5000 }))).toBe(5000)
    expect(retryMsOf(store({ retryMs: 2000 }), store({}))).toBe(60_000)
  })
})

describe('the source snapshot during planning', () => {
  const opened = (): { readonly views: SourceViews; readonly count: () => number } => {
    let count = 0
    const source = async () => ({ no: ++count, [Symbol.asyncDispose]: async () => undefined })
    return { views: new SourceViews({ source } as unknown as CopyStore, signal), count: () => count }
  }

  it('is replaced after a lost connection, and the copy still has a single snapshot', async () => {
    const { views, count } = opened()
    const lost = failing('CONNECTION_LOST', 1, { kind: 'source' })
    await expect(views.ask(lost.body)).rejects.toMatchObject({ code: 'CONNECTION_LOST' })
    expect(await views.ask(lost.body)).toBe('there')
    expect([count(), views.count]).toEqual([2, 1])
  })

  it('is kept if the server was only busy', async () => {
    const { views, count } = opened()
    const busy = failing('TARGET_BUSY', 1, { kind: 'source' })
    await expect(views.ask(busy.body)).rejects.toMatchObject({ code: 'TARGET_BUSY' })
    expect(await views.ask(busy.body)).toBe('there')
    expect([count(), views.count]).toEqual([1, 1])
  })
})
