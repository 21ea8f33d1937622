import { describe, expect, it } from 'vitest'
import { compiledEntry } from '../../src/shared/compiled-entry.ts'

describe('compiledEntry', () => {
  it.each([
    ['file:///home/ann/sluice/src/engine/thread/run.ts', 'file:///home/ann/sluice/dist/engine/thread/lane-main.js'],
    ['file:///home/ann/sluice/dist/engine/thread/run.js', 'file:///home/ann/sluice/dist/engine/thread/lane-main.js'],
    ['file:///usr/src/app/src/stores/query.ts', 'file:///usr/src/app/dist/stores/lane-main.js'],
    ['file:///usr/src/app/dist/stores/query.js', 'file:///usr/src/app/dist/stores/lane-main.js'],
    ['file:///src/src/src/run.ts', 'file:///src/src/dist/lane-main.js'],
    ['file:///C:/src/app/src/stores/query.ts', 'file:///C:/src/app/dist/stores/lane-main.js'],
    ['file:///a%20b/src/c%23/src/query.ts', 'file:///a%20b/src/c%23/dist/lane-main.js'],
  ])('finds the entry beside %s', (module, expected) => {
    expect(compiledEntry('lane-main', module).href).toBe(expected)
  })
})
