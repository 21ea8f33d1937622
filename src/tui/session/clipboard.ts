/** What `y` copies: the object under the cursor, as text for a shell or a query. */
import { editorText } from '../screens/ask/ask-editor.ts'
import { goesOnBy, unconfirmedCommand } from '../../app/live/goes-on.ts'
import type { RunView } from '../run/run-view.ts'
import { sqlLiteral } from '../../shared/sql-text.ts'
import { fromFolder } from '../../shared/working-folder.ts'
import { scheduleAtCursor, workerAtCursor } from '../screens/queue/queue-rows.ts'
import { queueView } from '../screens/queue/queue-open.ts'
import { listedRunId } from '../screens/runs/run-rows.ts'
import { comparison, slotIdentity, knownValue, logRows, openRun, runRows, selectedVersion } from '../state/selectors.ts'
import type { State } from '../state/state.ts'
import { cursorRow, targetRows } from '../screens/tables/tables-list.ts'

export type ClipboardText = { readonly text: string; readonly what: string } | { readonly command: string }

function fromTables(state: State): ClipboardText | null {
  if (state.focus !== 'detail') {
    const rows = targetRows(state)
    if (rows.length === 0) return null
    const one = rows.every(({ kind }) => kind === 'relation') ? 'name' : 'path'
    return {
      text: rows.map((row) => row.location).join('\n'),
      what: rows.length === 1 ? one : `${rows.length} ${one}s`,
    }
  }
  const { tab, at } = state.detail
  if (tab === 'files') {
    const page = knownValue(state, 'files', slotIdentity(state, 'files'))
    const file = page?.rows[at.files.cursor - page.from]
    return file === undefined ? null : { text: file.path, what: 'path of the file' }
  }
  if (tab === 'history') {
    const version = selectedVersion(state)
    return version === null ? null : { text: String(version), what: 'version' }
  }
  if (tab === 'schema') {
    const schemaField = knownValue(state, 'schema', slotIdentity(state, 'schema'))?.[at.schema.cursor]
    return schemaField === undefined ? null : { text: schemaField.path, what: 'column' }
  }
  if (tab === 'partitions') {
    const page = knownValue(state, 'partitions', slotIdentity(state, 'partitions'))
    const row = page?.rows[at.partitions.cursor - page.from]
    if (row === undefined) return null
    const parts = Object.entries(row.values).map(([k, v]) => (v === null ? `${k} IS NULL` : `${k} = ${sqlLiteral(v)}`))
    return { text: parts.join(' AND '), what: 'predicate of the partition' }
  }
  const row = cursorRow(state)
  return row === null ? null : { text: row.location, what: 'path' }
}

/** Command line that works from the current folder. */
const commandOf = ({ commandLine, joined }: RunView): string => fromFolder(commandLine, joined?.folder ?? null)

/**
 * For a run its id, which `sluice ctl` and `sluice runs --distributed` take; for a worker its host; for a schedule its
 * command.
 */
function fromQueue(state: State): ClipboardText | null {
  const view = queueView(state)
  if (view?.kind === 'run') return { text: view.runId, what: 'run id' }
  const schedule = scheduleAtCursor(state)
  if (schedule !== null) return { text: schedule.command, what: 'command' }
  const line = workerAtCursor(state)
  return line === null ? null : { text: line.worker.host, what: 'host' }
}

/** @returns text and description for the clipboard, or null if nothing is under the cursor. */
export function clipboardText(state: State): ClipboardText | null {
  switch (state.screen) {
    case 'tables':
      return fromTables(state)
    case 'runs': {
      const run = openRun(state)
      if (run !== null) return { command: run.finished?.resumeCommand ?? commandOf(run) }
      const row = runRows(state)[state.runs.at.cursor]
      if (row === undefined) return null
      if (row.kind === 'here') return { command: commandOf(row.run) }
      if (row.kind === 'machine' && row.run.commandLine !== '')
        return { command: goesOnBy(row.run) ?? unconfirmedCommand(row.run.commandLine) }
      return { text: listedRunId(row) ?? '', what: 'run id' }
    }
    case 'queue':
      return fromQueue(state)
    case 'ask':
      return { text: editorText(state.ask.editor), what: 'statement' }
    case 'compare': {
      const run = comparison(state)?.run
      return run === undefined ? null : { command: run.commandLine }
    }
    case 'log': {
      const entry = logRows(state)[state.log.at.cursor]
      return entry === undefined ? null : { text: entry.text, what: 'line' }
    }
  }
}
