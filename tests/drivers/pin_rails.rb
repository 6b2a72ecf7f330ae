# The hook of Rails, with ActiveRecord alone: the pin is there at once, and after reset!.
require "active_record"

eval(File.read(ENV.fetch("HOOK")))
ActiveRecord::Base.establish_connection(adapter: "postgresql", host: ENV.fetch("PGHOST"),
                                        database: ENV.fetch("PGDATABASE"), username: ENV.fetch("PGUSER"))
puts ActiveRecord::Base.connection.select_value(ENV.fetch("COUNT"))
ActiveRecord::Base.connection.reset!
puts ActiveRecord::Base.connection.select_value(ENV.fetch("COUNT"))
