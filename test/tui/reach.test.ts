/**
 * A catalog that becomes unreachable under an open screen: it is reported once, queried again automatically, and
 * reported when it is back.
 */
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest'
import { SluiceError } from '../../src/shared/errors.ts'
import { WorkbenchReach, wholeError } from '../../src/tui/session/reach.ts'

const LOST = new SluiceError('CONNECTION_LOST', 'the connection to the database broke', { retryable: true })
const REFUSED = new SluiceError('CONNECT_FAILED', 'Database connection failed', {
  reason: 'the server refuses this user or password',
  where: 'mysql://app@h/db',
  hint: 'Check database URL and credentials',
})

let said: string[]
let reloads: number
let reach: WorkbenchReach

beforeEach(() => {
  vi.useFakeTimers()
  said = []
  reloads = 0
  reach = new WorkbenchReach(
    (text) => said.push(text),
    () => reloads++,
  )
})
afterEach(() => {
  reach.close()
  vi.useRealTimers()
})

describe('a catalog under an open screen', () => {
  test('is queried again until it is back', () => {
    reach.failed('files', LOST)
    vi.advanceTimersByTime(1)
    expect(reloads).toBe(1)
    for (let times = 2; times <= 4; times++) {
      reach.failed('tables', LOST)
      reach.failed('runs', LOST)
      vi.advanceTimersByTime(3999)
      expect(reloads).toBe(times - 1)
      vi.advanceTimersByTime(1)
      expect(reloads).toBe(times)
    }
    expect(said).toHaveLength(1)
    reach.answered('runs')
    reach.answered('tables')
    reach.answered('tables')
    expect(said).toEqual([expect.stringContaining('cannot be reached'), 'the catalog can be reached again'])
    vi.advanceTimersByTime(60_000)
    expect(reloads).toBe(4)
  })

  test('is not queried again if it refuses the password', () => {
    reach.failed('tables', REFUSED)
    vi.advanceTimersByTime(60_000)
    expect(reloads).toBe(0)
    expect(wholeError(REFUSED)).toBe(
      'CONNECT_FAILED: Database connection failed · the server refuses this user or password · do: Check database URL and credentials · mysql://app@h/db',
    )
  })

  test('is reported after 5 s without an answer, and not before', () => {
    const first = reach.waiting()
    vi.advanceTimersByTime(4999)
    first()
    reach.waiting()
    vi.advanceTimersByTime(4999)
    expect(said).toEqual([])
    vi.advanceTimersByTime(1)
    expect(said).toEqual([expect.stringContaining('no answer for 5 s')])
  })

  test('is not queried after the screen is closed', () => {
    reach.failed('tables', LOST)
    reach.close()
    reach.failed('tables', LOST)
    vi.advanceTimersByTime(60_000)
    expect(reloads).toBe(0)
  })
})
