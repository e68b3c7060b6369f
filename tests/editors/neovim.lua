-- Run in Neovim with a net of two files open in the first buffer: diagnostics, hover, rename and commands, as JSON in $RESULT.
local result = {}

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

local function at(text)
  local line = vim.fn.search(text)
  assert(line > 0, text)
  local column = vim.fn.col(".") - 1
  return { textDocument = { uri = vim.uri_from_bufnr(0) }, position = { line = line - 1, character = column } }
end

local ok, problem = pcall(function()
  wait("diagnostics", function()
    return #vim.diagnostic.get(0) > 0
  end)
  for _, found in ipairs(vim.diagnostic.get(0)) do
    table.insert(result, { "diagnostic", found.code or found.source, found.lnum + 1 })
  end
  local hover = call("textDocument/hover", at("Convolution"))
  table.insert(result, { "hover", hover and hover.contents.value or "" })
  local parameters = at([["conv1"]])
  parameters.position.character = parameters.position.character + 1
  parameters.newName = "first"
  vim.lsp.util.apply_workspace_edit(call("textDocument/rename", parameters), "utf-16")
  table.insert(result, { "renamed", vim.api.nvim_buf_get_lines(0, 0, -1, false) })
  vim.cmd("PrototxtInspect")
  wait("table", function()
    return vim.bo.buftype == "nofile"
  end)
  table.insert(result, { "table", table.concat(vim.api.nvim_buf_get_lines(0, 0, -1, false), "\n") })
  vim.cmd("bwipeout | PrototxtDeploy")
  wait("deploy net", function()
    return vim.fn.expand("%:t") == "deploy.prototxt"
  end)
  table.insert(result, { "deploy", vim.api.nvim_buf_get_lines(0, 0, -1, false), vim.bo.modified })
end)
if not ok then
  table.insert(result, { "problem", tostring(problem) })
end
vim.fn.writefile({ vim.json and vim.json.encode(result) or vim.fn.json_encode(result) }, vim.env.RESULT)
vim.cmd("qall!")
