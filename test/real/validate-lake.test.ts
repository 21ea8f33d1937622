import { describe, expect, it } from 'vitest'
import { differencesOf, imported, validated } from './validate-setup.ts'
import { makeLake } from './validate-lake.ts'

describe('a log that uses everything', () => {
  it('agrees with its catalog', async () => {
    await using lake = await makeLake()
    await using subject = await imported(lake.folder)
    const result = await validated(subject, 5)
    expect(differencesOf(result.events)).toEqual([])
    expect(result.versions).toEqual([0, 1, 2, 3])
  })
})
