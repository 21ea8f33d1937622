/** Touched rows that are compared between two tries of a cutover, and the time that tries have. */
import { expect, test } from 'vitest'
import { compareTouched } from '../../src/engine/follow/compare/compare-touched.ts'
import { TouchedRows } from '../../src/engine/follow/compare/touched-rows.ts'
import { CutoverWatch, type ApproachParts } from '../../src/engine/follow/cutover/approach.ts'
import { CutoverChecks } from '../../src/engine/follow/cutover/cutover-checks.ts'
import type { AppliedState } from '../../src/engine/follow/progress/watch.ts'

type Facts = { pauseMs: number; waitedMs: number }
type Answer = 'end' | 'prove' | 'on'

let ticks = 0

class FakeWatch extends CutoverWatch<Facts> {
  answers: Answer[] = []

  constructor(furthestMs = 0) {
    const parts: Partial<ApproachParts> = {
      changes: { fence: async () => 0n } as unknown as ApproachParts['changes'],
      checks: new CutoverChecks(() => undefined),
      triesForMs: 5000,
      clock: { ticks: () => ticks } as ApproachParts['clock'],
      reverseStream: () => ({ slot: 's' }) as ReturnType<ApproachParts['reverseStream']>,
      reverseStreamFault: async () => null,
      rereadLedger: async () => undefined,
      findings: async () => [],
      furthest: async () => {
        ticks += furthestMs
        return { text: '[]' }
      },
    }
    super({ ...(parts as ApproachParts), begin: async () => undefined })
  }

  protected override async guard(): Promise<void> {
    return
  }

  /** A try that ends while it compares. */
  protected override async attempt(): Promise<Answer> {
    this.tried++
    this.isComparing = true
    return this.answers.shift() ?? 'end'
  }
}

function standstill(compared: readonly boolean[]): AppliedState & { readonly calls: number[] } {
  const calls: number[] = []
  const now = {
    applyWorkers: { applied: 1n },
    proof: { compared: [], position: '0/1' },
    verify: async () => true,
    compareTouched: async () => {
      calls.push(ticks)
      return compared[calls.length - 1] ?? true
    },
  }
  return { ...(now as unknown as AppliedState), calls }
}

async function untilTried(watch: FakeWatch, now: AppliedState, tries: number): Promise<Answer> {
  let answer: Answer = 'on'
  for (let n = 0; n < 100 && watch.tries < tries; n++) {
    ticks += 100
    answer = await watch.between(now)
  }
  expect(watch.tries).toBe(tries)
  return answer
}

test('touched rows are compared again after a pause if there was no common snapshot', async () => {
  const watch = new FakeWatch()
  watch.touched.begin()
  watch.answers = ['on']
  const now = standstill([false, false, true])
  await untilTried(watch, now, 1)
  await untilTried(watch, now, 2)
  const [first = 0, ...more] = now.calls
  expect(more.map((at) => at - first)).toEqual([500, 1000])
})

test('touched rows are not compared if all rows are compared again', async () => {
  const watch = new FakeWatch()
  watch.touched.begin()
  watch.answers = ['prove', 'on']
  const now = standstill([])
  expect(await untilTried(watch, now, 1)).toBe('prove')
  await untilTried(watch, now, 2)
  // Another comparison of all rows begins after a try that took too long.
  await watch.between({ ...now, proof: null })
  await untilTried(watch, now, 3)
  expect(now.calls).toEqual([])
})

test('reading the furthest values takes no time from the tries', async () => {
  const watch = new FakeWatch(60_000)
  watch.touched.begin()
  expect(await untilTried(watch, standstill([]), 1)).toBe('end')
})

test('after an error the touched rows are those of before and of meanwhile', async () => {
  const touched = new TouchedRows()
  touched.begin()
  touched.note(0, ['1'])
  const parts = {
    tables: [{}],
    applyWorkers: { commit: async () => undefined, applied: 1n },
    stream: { snapshot: async () => ({ [Symbol.asyncDispose]: async () => undefined }) },
    clock: { ticks: () => 0 },
    to: {
      source: async () => {
        touched.note(0, ['2'])
        throw new Error('connection lost')
      },
    },
  }
  const compare = (): Promise<boolean> =>
    compareTouched(parts as unknown as Parameters<typeof compareTouched>[0], touched)
  await expect(compare()).rejects.toThrow('connection lost')
  expect(touched.keys(0)?.toSorted()).toEqual([['1'], ['2']])
  touched.noteAll()
  await expect(compare()).rejects.toThrow('connection lost')
  expect(touched.keys(0)).toBeNull()
})
