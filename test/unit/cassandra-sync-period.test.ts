import { expect, test } from 'vitest'
import { syncPeriod } from '../../src/stores/cassandra/flushed.ts'

test.each([
  ['4.0', { commitlog_sync: 'periodic', commitlog_sync_period_in_ms: '10000' }, 10_000],
  [
    '5.0',
    { commitlog_sync: 'periodic', commitlog_sync_period: '10000ms', commitlog_sync_period_in_ms: '10000' },
    10_000,
  ],
  ['seconds', { commitlog_sync: 'periodic', commitlog_sync_period: '2s' }, 2000],
  ['batch', { commitlog_sync: 'batch', commitlog_sync_period: '10000ms' }, 0],
  ['group', { commitlog_sync: 'group', commitlog_sync_period: 'null' }, 0],
  ['a period that cannot be read', { commitlog_sync: 'periodic', commitlog_sync_period: 'null' }, null],
  ['a server that does not say', {}, null],
])('the period of the commit log: %s', (_, settings, period) => {
  expect(syncPeriod(new Map(Object.entries(settings)))).toBe(period)
})
