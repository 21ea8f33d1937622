import { expect, test } from 'vitest'
import { compareFacts, type FactBlocks } from '../../src/engine/lake/read-back/fact-sums.ts'

const facts = (...values: readonly string[]): FactBlocks =>
  async function* () {
    yield values.map((value) => ({ key: 'k', values: [value] }))
  }

test('a fact that occurs twice does not cancel itself out', async () => {
  expect(await compareFacts(facts('1', '1'), facts('2', '2'))).toMatchObject({
    left: 2,
    right: 2,
    differences: [{ key: 'k', field: null }],
  })
  expect(await compareFacts(facts('1', '2'), facts('2', '1'))).toMatchObject({ differences: [] })
})
