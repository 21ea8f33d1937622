/** One function an operation; each loads what it needs when it runs. */
import type { Operation } from '../operation.ts'
import type { Ending, Run } from '../run-context.ts'

/** @throws whatever the operation throws; `runOperation` turns it into the last event */
export async function perform(operation: Operation, run: Run): Promise<Ending> {
  switch (operation.kind) {
    case 'discover':
      return (await import('./discover.ts')).discover(operation, run)
    case 'import':
      return (await import('./import.ts')).importOne(operation, run)
    case 'batch-import':
      return (await import('./batch-import.ts')).batchImport(operation, run)
    case 'validate':
      return (await import('./validate.ts')).validate(operation, run)
    case 'performance-compare':
      return (await import('./compare.ts')).compare(operation, run)
    case 'migration-status':
      return (await import('./status.ts')).migrationStatus(operation, run)
    case 'runs':
      return (await import('./status.ts')).recordedRuns(operation, run)
    case 'copy-runs':
      return (await import('./copy-runs.ts')).copyRuns(operation, run)
    case 'verify-rollback':
      return (await import('./rollback.ts')).verifyRollback(operation, run)
    case 'rollback':
      return (await import('./rollback.ts')).rollback(operation, run)
    case 'history':
      return (await import('./history.ts')).history(operation, run)
    case 'files':
      return (await import('./files.ts')).files(operation, run)
    case 'changes':
      return (await import('./changes.ts')).changes(operation, run)
    case 'fsck':
      return (await import('./fsck.ts')).fsck(operation, run)
    case 'sync':
      return (await import('./sync.ts')).sync(operation, run)
    case 'prune':
      return (await import('./prune.ts')).prune(operation, run)
    case 'export-log':
      return (await import('./export-log.ts')).exportLog(operation, run)
    case 'grants':
      return (await import('./grants.ts')).grants(operation, run)
    case 'doctor':
      return (await import('./doctor.ts')).doctor(operation, run)
    case 'sql':
      return (await import('./sql.ts')).sql(operation, run)
    case 'index':
      return (await import('./index-columns.ts')).indexColumns(operation, run)
    case 'copy':
      return operation.script === undefined || operation.dryRun
        ? (await import('./copy.ts')).copy(operation, run)
        : (await import('./script-copy.ts')).scriptCopy(operation, run)
    case 'discover-database':
      return (await import('./discover-database.ts')).discoverDatabase(operation, run)
    case 'tokens':
      return (await import('./tokens.ts')).tokens(operation, run)
    case 'retry-quarantine':
      return (await import('./retry-quarantine.ts')).retryQuarantine(operation, run)
    case 'diff-undo':
      return (await import('./diff-undo.ts')).diffUndo(operation, run)
    case 'diff':
      return (await import('./diff.ts')).diff(operation, run)
    case 'archive':
      return (await import('./archive.ts')).archive(operation, run)
    case 'archive-list':
      return (await import('./archive-list.ts')).archiveList(operation, run)
    case 'archive-verify':
      return (await import('./archive-verify.ts')).archiveVerify(operation, run)
    case 'archive-sweep':
      return (await import('./archive-sweep.ts')).archiveSweep(operation, run)
    case 'archive-adopt':
      return (await import('./archive-adopt.ts')).archiveAdopt(operation, run)
    case 'archive-hold':
      return (await import('./archive-hold.ts')).archiveHold(operation, run)
    case 'restore':
      return (await import('./restore.ts')).restore(operation, run)
    case 'query':
      return (await import('./query.ts')).query(operation, run)
    default:
      return unknown(operation)
  }
}

function unknown(operation: never): never {
  throw new Error(`unknown operation ${JSON.stringify(operation)}`)
}
