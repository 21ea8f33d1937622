/** Declares lakes in folders of this machine. */
import type { LakeDeclaration } from '../declaration.ts'

export const local: LakeDeclaration = {
  kind: 'local',
  wire: false,
  openLog: async (path) => (await import('./index.ts')).openLocalLog(path),
  openLake: async (path) => (await import('./lake.ts')).openLocalLake(path),
  openWriter: async (path) => (await import('./log-writer.ts')).openLocalLogWriter(path),
}
