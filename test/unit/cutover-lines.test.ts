/** Findings of a cutover, each as one sentence. */
import { expect, test } from 'vitest'
import { cutoverLines } from '../../src/render/cutover-lines.ts'
import type { Block } from '../../src/render/block.ts'
import type { Event } from '../../src/model/run/event.ts'

function said(finding: { readonly verdict: string; readonly about: string; readonly object?: string }): string[] {
  const event = { type: 'cutover.finding', detail: 'so it is', ...finding } as unknown as Event
  const texts: string[] = []
  cutoverLines(event, (_mark, text) => {
    texts.push(text)
    return {} as Block
  })
  return texts
}

test('a finding that belongs to neither table has no "stays with" text', () => {
  expect(said({ verdict: 'left', about: 'lock', object: 'psql (process 7, active)' })).toEqual([
    'lock of psql (process 7, active): so it is',
  ])
  expect(said({ verdict: 'left', about: 'old snapshots' })).toEqual(['old snapshots: so it is'])
  expect(said({ verdict: 'left', about: 'index', object: "i'x" })).toEqual([
    "index i'x stays with the old table: so it is",
  ])
  expect(said({ verdict: 'refused', about: 'subscription', object: 's' })).toEqual([
    'subscription s prevents the cutover: so it is',
  ])
})
