-- Run in Neovim with a net open: what diagnostics, hover, rename and the commands give, as JSON in the file $RESULT.
local result = {}

local function text()
  return table.concat(vim.api.nvim_buf_get_lines(0, 0, -1, false), "\n")
end

local function wait(what, condition)
  assert(vim.wait(60000, condition, 20), "no " .. what .. " within a minute")
end

local function call(method, parameters)
  local answers = assert(vim.lsp.buf_request_sync(0, method, parameters, 60000), method .. ": no answer")
  for _, answer in pairs(answers) do
    assert(not answer.error, vim.inspect(answer.error))
    return answer.result
  end
end

local function at(words)
  vim.fn.cursor(1, 1)
  local line = vim.fn.search(words)
  assert(line > 0, words)
  local column = vim.fn.col(".") - 1
  return { textDocument = { uri = vim.uri_from_bufnr(0) }, position = { line = line - 1, character = column } }
end

local ok, problem = pcall(function()
  wait("diagnostics", function()
    return #vim.diagnostic.get(0) > 0
  end)
  for _, found in ipairs(vim.diagnostic.get(0)) do
    table.insert(result, { "diagnostic", found.message, found.lnum + 1 })
  end
  local hover = call("textDocument/hover", at("Convolution"))
  table.insert(result, { "hover", hover and hover.contents.value or "" })
  local parameters = at([[conv1"$]])
  parameters.newName = "better"
  vim.lsp.util.apply_workspace_edit(call("textDocument/rename", parameters), "utf-16")
  table.insert(result, { "renamed", text() })
  vim.cmd("PrototxtInspect")
  wait("table", function()
    return vim.bo.buftype == "nofile"
  end)
  table.insert(result, { "table", text() })
  vim.cmd("bwipeout | PrototxtDeploy")
  wait("deploy net", function()
    return vim.fn.expand("%:t") == "deploy.prototxt"
  end)
  table.insert(result, { "deploy", text() })
end)
if not ok then
  table.insert(result, { "problem", tostring(problem) })
end
vim.fn.writefile({ vim.fn.json_encode(result) }, vim.env.RESULT)
vim.cmd("qall!")
