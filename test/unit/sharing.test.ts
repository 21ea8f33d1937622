/** How the work of an operation is distributed over workers. */
import { expect, test } from 'vitest'
import { refuseUnnamedStore, sharingOf } from '../../src/app/share/sharing.ts'
import type { Operation } from '../../src/app/operations/list.ts'
import { copyOf } from '../support/copy-systems.ts'

const [from, to] = [{ url: 'postgresql://a/x' }, { url: 'postgresql://b/y' }]
const copy = { ...copyOf(from, to, 'orders'), tables: ['orders', 'lines'] }

test('all workers share the chunks of a copy', () => {
  expect(sharingOf(copy)).toEqual({ by: 'chunks' })
})

test('tables that are proved again are distributed, each to one worker', () => {
  const sharing = sharingOf({ ...copy, again: true })
  expect(sharing.by === 'parts' ? sharing.parts.map(({ about }) => about) : null).toEqual(['orders', 'lines'])
})

test('followed tables share one stream, whatever their number', () => {
  expect(sharingOf({ ...copy, follow: {} })).toEqual({ by: 'stream' })
})

test('workers can follow a stream by its number only with --from, because the ledger has no password', () => {
  const follow: Operation = { kind: 'follow', stream: '1', to: 'postgresql://t/t', untilCaughtUp: false, untilEqual: false, end: false } // prettier-ignore
  expect(() => refuseUnnamedStore(follow)).toThrow('follow can be run by workers only with --from')
  refuseUnnamedStore({ ...follow, from: 'postgresql://s/s' })
  refuseUnnamedStore(copy)
})
