/** Checks a session, cancels its statement, or ends it, over a separate connection. */
import { performance } from 'node:perf_hooks'
import { connect, type Backend } from './connect.ts'
import type { PostgresSettings } from './settings.ts'

/** True if the server works on the session's statement and does not wait for the client. @throws as `connect` */
export async function isBackendWorking(settings: PostgresSettings, backend: Backend): Promise<boolean> {
  const condition = "state IN ('active', 'fastpath function call') AND wait_event_type IS DISTINCT FROM 'Client'"
  return (await inOwnSession(settings, backend, 'pid', condition)) > 0
}

/** Ends a session if it still exists, but never a later session with the same pid. @throws as `connect` */
export async function terminate(settings: PostgresSettings, backend: Backend): Promise<void> {
  await inOwnSession(settings, backend, 'pg_catalog.pg_terminate_backend(pid)', 'true')
}

/** Cancels the session's statement, not the session. @throws as `connect` */
export async function cancel(settings: PostgresSettings, backend: Backend): Promise<void> {
  await inOwnSession(settings, backend, 'pg_catalog.pg_cancel_backend(pid)', 'true')
}

async function inOwnSession(
  settings: PostgresSettings,
  backend: Backend,
  what: string,
  condition: string,
): Promise<number> {
  const { responseTimeoutMs, connectTimeoutMs } = settings
  const started = performance.now()
  const shortly = { ...settings, connectTimeoutMs: Math.min(connectTimeoutMs, responseTimeoutMs) }
  const { client, socket } = await connect(shortly, 'read')
  const left = connectTimeoutMs - (performance.now() - started)
  const timer = setTimeout(() => socket.destroy(), Math.max(0, left))
  try {
    const { rows } = await client.query({
      text: `SELECT ${what} FROM pg_catalog.pg_stat_activity WHERE pid = $1 AND backend_start = $2::timestamptz AND ${condition}`,
      values: [backend.pid, backend.startedAt],
    })
    return rows.length
  } finally {
    clearTimeout(timer)
    void client.end().catch(() => undefined)
  }
}
