/** Failures between a ledger and the cluster that holds its log. */
import { setTimeout as sleepFor } from 'node:timers/promises'
import { throwIfAborted } from '../../../shared/abort.ts'
import { SluiceError } from '../../../shared/errors.ts'
import type { CassandraSettings } from '../config.ts'
import { cassandraError } from '../errors.ts'
import { cassandraFailure, type CassandraFailureKind, type OnRetry } from '../failure.ts'

/** Transient failures. After them it is unknown whether the change was made. */
const TRANSIENT: ReadonlySet<CassandraFailureKind> = new Set<CassandraFailureKind>([
  'write-timeout',
  'write-failure',
  'read-timeout',
  'read-failure',
  'no-answer',
  'network',
  'no-host',
  'server',
  'overloaded',
  'bootstrapping',
  'unavailable',
])

export function isCassandraTransient(error: unknown): boolean {
  return TRANSIENT.has(cassandraFailure(error).kind)
}

export function ledgerError(thrown: unknown, settings: CassandraSettings): SluiceError {
  if (thrown instanceof SluiceError) return thrown
  const { kind, message } = cassandraFailure(thrown)
  if (kind !== 'unavailable') return cassandraError(thrown, settings, 'write')
  return new SluiceError('TARGET_BUSY', 'too few replicas are up to write the ledger', {
    where: `${settings.label}: ${message}`,
    reason: 'an entry of the ledger needs a majority of the replicas: two of two, two of three',
    hint: 'start the nodes that are down, then run the same command again: it continues where it stopped',
    retryable: true,
    cause: thrown,
  })
}

export function brokenLedger(what: string): SluiceError {
  return new SluiceError('LEDGER_DAMAGED', `the ledger in the target is damaged: ${what}`, {
    reason: 'rows of the ledger tables were changed or lost, for example by a partly restored backup',
    hint: 'restore sluice_ledger_head, sluice_ledger_log and sluice_ledger_part from one backup; without a backup, begin again in another keyspace (if you drop these tables instead, nodes of old releases write into the dropped ones until their restart)',
  })
}

const FIRST_PAUSE_MS = 10
const LONGEST_PAUSE_MS = 1000

/** Waits, longer each time, with a random part. @throws the signal's reason */
export async function pause(attempts: number, signal: AbortSignal): Promise<void> {
  const most = Math.min(LONGEST_PAUSE_MS, FIRST_PAUSE_MS * 2 ** Math.min(attempts, 10))
  await sleepFor(most * (0.25 + 0.75 * Math.random()), undefined, { signal }).catch(() => undefined)
  throwIfAborted(signal)
}

/**
 * Retries an idempotent operation after transient failures.
 * @param retryLimitMs retry limit, ms
 * @param onRetry called before each further attempt
 */
export async function retryIdempotent<T>(
  body: () => Promise<T>,
  retryLimitMs: number,
  signal: AbortSignal,
  onRetry?: OnRetry,
): Promise<T> {
  const until = performance.now() + retryLimitMs
  for (let attempt = 1; ; attempt++) {
    throwIfAborted(signal)
    try {
      return await body()
    } catch (error) {
      if (!isCassandraTransient(error) || performance.now() > until) throw error
      onRetry?.(error, attempt + 1, until - performance.now())
    }
    await pause(attempt, signal)
  }
}
