/** Sinks of alerts: a command of the user, and a webhook. Their failures are reported and stop nothing. */
import { createHash } from 'node:crypto'
import type { AlertEvent, AlertKey, AlertOptions } from '../../../model/run/alert.ts'
import { runShell } from './shell.ts'

const COMMAND_MS = 30_000
const WEBHOOK_MS = 10_000

export type AlertSinks = {
  readonly command?: string
  /** http or https; may hold a secret, and is never shown. */
  readonly webhook?: string
  readonly run: string
  /** The host that reports the alert. */
  readonly host: string
  /** What the run is about: `copy postgresql://…`, without passwords. */
  readonly about: string
}

/** Returns the sinks that the options and the environment name. */
export function sinksOf({ command }: AlertOptions, run: Pick<AlertSinks, 'run' | 'about' | 'host'>): AlertSinks {
  const webhook = process.env['SLUICE_ALERT_WEBHOOK']
  return {
    ...(command === undefined ? {} : { command }),
    ...(webhook === undefined || webhook === '' ? {} : { webhook }),
    ...run,
  }
}

/**
 * Id of an alert: the same for its start, its end and repeated sending. A receiver may ignore an alert if it already
 * has its id and `state`.
 * @param about values that identify the alert, and its start time
 */
export function alertId(...about: readonly (string | number)[]): string {
  return createHash('sha256').update(JSON.stringify(about)).digest('hex').slice(0, 16)
}

/** Id of an alert that has a key. @param since recorded start of the alert, ms since the epoch */
export function alertIdOf({ scope, cause, table }: AlertKey, since: number): string {
  return alertId(scope, cause, table, since)
}

/** An alert as it is sent. @property id from `alertId` */
export type SentAlert = AlertEvent & { readonly id: string }

/** Sends to every sink. @returns texts of the failures; empty if every sink accepted the alert. Never throws */
export async function send(event: SentAlert, sinks: AlertSinks): Promise<readonly string[]> {
  const failures = await Promise.all([runCommand(event, sinks), post(event, sinks)])
  return failures.filter((one) => one !== null)
}

/** True if at least one sink accepted the alert, or if there is no sink. @param failures result of `send` */
export function isReached(failures: readonly string[], { command, webhook }: AlertSinks): boolean {
  return failures.length === 0 || (failures.length === 1 && command !== undefined && webhook !== undefined)
}

async function runCommand(event: SentAlert, { command, run, about, host }: AlertSinks): Promise<string | null> {
  if (command === undefined) return null
  const variables = {
    SLUICE_ALERT_ID: event.id,
    SLUICE_ALERT_CAUSE: event.cause,
    SLUICE_ALERT_STATE: event.state,
    SLUICE_ALERT_TABLE: event.table ?? '',
    SLUICE_ALERT_VALUE: event.value,
    SLUICE_ALERT_LIMIT: event.limit ?? '',
    SLUICE_ALERT_RUN: run,
    SLUICE_ALERT_ABOUT: about,
    SLUICE_ALERT_HOST: event.host ?? host,
  }
  const why = await runShell(command, variables, COMMAND_MS)
  return why === null ? null : `the command of the alert ${why}`
}

async function post(event: SentAlert, { webhook, run, about, host }: AlertSinks): Promise<string | null> {
  if (webhook === undefined) return null
  try {
    const { type: _type, ...reported } = event
    const { url, authorization } = withoutCredentials(webhook)
    const answer = await fetch(url, {
      method: 'POST',
      headers: { 'content-type': 'application/json', ...(authorization === null ? {} : { authorization }) },
      body: JSON.stringify({ host, ...reported, run, about }),
      // A redirect would send the alert to another host than the user named.
      redirect: 'manual',
      signal: AbortSignal.timeout(WEBHOOK_MS),
    })
    await answer.body?.cancel()
    if (answer.status >= 300 && answer.status < 400)
      return `the webhook of the alert answered ${answer.status}: it redirects to another URL, and sluice does not follow redirects`
    return answer.ok ? null : `the webhook of the alert answered ${answer.status}`
  } catch (error) {
    // The message of fetch may contain the URL, which may hold a secret.
    const why = error instanceof Error && error.name === 'TimeoutError' ? 'did not answer in time' : 'cannot be reached'
    return `the webhook of the alert ${why}`
  }
}

/** fetch refuses URLs with user and password: send them as basic authentication (RFC 7617). */
function withoutCredentials(webhook: string): { readonly url: URL; readonly authorization: string | null } {
  const url = new URL(webhook)
  const [name, password] = [decodeURIComponent(url.username), decodeURIComponent(url.password)]
  url.username = ''
  url.password = ''
  const isGiven = name !== '' || password !== ''
  return { url, authorization: isGiven ? `Basic ${Buffer.from(`${name}:${password}`).toString('base64')}` : null }
}
