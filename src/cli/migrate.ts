import { configOf } from './configuration.ts'
import type { Register } from './context.ts'
import { startDatabase } from './database.ts'

export const registerMigrate: Register = (program, context) => {
  program
    .command('migrate')
    .description('bring the database schema up to date; a second run does nothing')
    .option('--json', 'print one JSON object')
    .action(async (options: { json?: boolean }) => {
      const database = await startDatabase(configOf(context, { demo: false }), context)
      if (options.json) context.print(JSON.stringify({ applied: database.applied, embedded: database.embedded }))
      else context.print(database.applied.length === 0 ? 'the schema is up to date' : `applied ${database.applied.join(', ')}`)
    })
}
