/** A suite of random tables fails if it compares nothing. */
import { expect, test } from 'vitest'
import type { Drawn } from '../../drawn/support/drawing.ts'
import { Tally } from '../../drawn/support/tally.ts'
import type { Verdict } from '../../drawn/support/verdict.ts'

const drawn = (from: string, to: string): Drawn => ({ from: { system: from }, to: { system: to } }) as unknown as Drawn
const REFUSED: Verdict = { is: 'named', code: 'TABLE_REFUSED', text: '' }

test('a suite in which every table is refused or discarded is found, but only after enough tables', () => {
  const tally = new Tally()
  tally.add(drawn('mysql', 'd1'), REFUSED)
  tally.add(drawn('mysql', 'd1'), { is: 'discarded', text: '' })
  expect(tally.isTelling).toBe(false)
  expect(tally.idle).toEqual(['nothing of what was drawn is equal: 1 mysql to d1: TABLE_REFUSED, 1 discarded'])
  for (let n = 0; n < 18; n++) tally.add(drawn('mysql', 'd1'), REFUSED)
  expect(tally.isTelling).toBe(true)
})

test('a pair of systems without an equal table is found after 40 tables', () => {
  const tally = new Tally()
  tally.add(drawn('mysql', 'mysql'), { is: 'equal' })
  expect(tally.isTelling).toBe(true)
  for (let n = 1; n < 40; n++) tally.add(drawn('mysql', 'd1'), REFUSED)
  expect(tally.idle).toEqual([])
  tally.add(drawn('mysql', 'd1'), REFUSED)
  expect(tally.idle).toEqual(['mysql to d1: none of 40 drawn tables is equal'])
})
