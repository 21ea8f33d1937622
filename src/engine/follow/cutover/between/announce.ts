/** Users learn where the table is now: by a command of the operator's, which may run more than once. */
import { tableText, type TableName } from '../../../../model/copy/column-type.ts'
import { SluiceError } from '../../../../shared/errors.ts'
import type { SideAddress } from '../../../../model/follow/switch-side-port.ts'
import { runShell } from '../../../run/alerts/shell.ts'

/** A command that takes longer is killed, ms. */
const HOOK_MS = 300_000

export type Announcement = {
  readonly revert: boolean
  /** The table that takes the writes now, and where it is. */
  readonly table: TableName
  readonly address: SideAddress
  /** The stream that keeps the closed table equal. */
  readonly stream: string
}

/** @throws SluiceError HOOK_FAILED: the switch stands, and the same command runs it again */
export async function announce(command: string, { revert, table, address, stream }: Announcement): Promise<void> {
  const why = await runShell(
    command,
    {
      SLUICE_SWITCH_DIRECTION: revert ? 'revert' : 'forward',
      SLUICE_SWITCH_TABLE: tableText(table),
      SLUICE_SWITCH_HOST: address.host,
      SLUICE_SWITCH_PORT: address.port,
      SLUICE_SWITCH_DATABASE: address.database,
      SLUICE_SWITCH_STREAM: stream,
    },
    HOOK_MS,
  )
  if (why === null) return
  throw new SluiceError('HOOK_FAILED', `the command of --on-switch ${why}`, {
    reason: `${tableText(table)} of ${address.host}:${address.port}/${address.database} is open, and users may not know it`,
    hint: 'the switch stands: the same command runs it once more, and nothing else',
  })
}
